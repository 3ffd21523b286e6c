// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Log-probabilities and entropies of tokens from hidden states, a chunk of rows at a time.
#include "rl/LogProbs.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace maskjit::rl {

static std::pair<at::Tensor, at::Tensor> ofChunk(const GptOss &model, const at::Tensor &hidden,
                                                 const at::Tensor &tokens, const LogProbOptions &options) {
  at::Tensor logits = model.logits(hidden);
  if (options.temperature != 1)
    logits = logits / options.temperature;
  at::Tensor all = at::log_softmax(logits, -1);
  at::Tensor logps = all.gather(-1, tokens.unsqueeze(-1)).squeeze(-1);
  at::Tensor from = options.entropyGradient ? all : all.detach();
  return {logps, -(from.exp() * from).sum(-1)};
}

namespace {

/// Keeps the hidden states and recomputes each chunk's logits in the backward pass.
struct ChunkedLogProbs : torch::autograd::Function<ChunkedLogProbs> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext *context, const at::Tensor &hidden,
                                                const at::Tensor &tokens, const GptOss *model, LogProbOptions options) {
    context->save_for_backward({hidden, tokens});
    context->saved_data["model"] = reinterpret_cast<int64_t>(model);
    context->saved_data["temperature"] = options.temperature;
    context->saved_data["entropyGradient"] = options.entropyGradient;
    context->saved_data["chunkRows"] = options.chunkRows;
    at::NoGradGuard noGrad;
    std::vector<at::Tensor> logps, entropies;
    for (int64_t row = 0; row < hidden.size(0); row += options.chunkRows) {
      int64_t rows = std::min(options.chunkRows, hidden.size(0) - row);
      auto [logp, entropy] = ofChunk(*model, hidden.narrow(0, row, rows), tokens.narrow(0, row, rows), options);
      logps.push_back(logp);
      entropies.push_back(entropy);
    }
    at::Tensor entropy = at::cat(entropies);
    if (!options.entropyGradient)
      context->mark_non_differentiable({entropy});
    return {at::cat(logps), entropy};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::variable_list gradients) {
    auto saved = context->get_saved_variables();
    const auto &model = *reinterpret_cast<const GptOss *>(context->saved_data["model"].toInt());
    LogProbOptions options;
    options.temperature = context->saved_data["temperature"].toDouble();
    options.entropyGradient = context->saved_data["entropyGradient"].toBool();
    options.chunkRows = context->saved_data["chunkRows"].toInt();
    std::vector<at::Tensor> hiddenGradients;
    for (int64_t row = 0; row < saved[0].size(0); row += options.chunkRows) {
      int64_t rows = std::min(options.chunkRows, saved[0].size(0) - row);
      at::AutoGradMode withGrad(true);
      at::Tensor hidden = saved[0].narrow(0, row, rows).detach().requires_grad_();
      auto [logp, entropy] = ofChunk(model, hidden, saved[1].narrow(0, row, rows), options);
      torch::autograd::variable_list roots{logp}, heads{gradients[0].narrow(0, row, rows)};
      if (options.entropyGradient && gradients[1].defined()) {
        roots.push_back(entropy);
        heads.push_back(gradients[1].narrow(0, row, rows));
      }
      torch::autograd::backward(roots, heads); // reaches the output weights too, if they learn
      hiddenGradients.push_back(hidden.grad());
    }
    return {at::cat(hiddenGradients), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

} // namespace

std::pair<at::Tensor, at::Tensor> tokenLogProbs(const GptOss &model, const at::Tensor &hidden, const at::Tensor &tokens,
                                                const LogProbOptions &options) {
  if (hidden.size(0) <= options.chunkRows)
    return ofChunk(model, hidden, tokens, options);
  auto out = ChunkedLogProbs::apply(hidden, tokens, &model, options);
  return {out[0], out[1]};
}

} // namespace maskjit::rl
