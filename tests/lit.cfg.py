# Tests on text: the .mlir and .mask files of this tree, by their RUN lines.
import os
import lit.formats

config.name = "maskjit"
config.test_format = lit.formats.ShTest(True)
config.suffixes = [".mlir", ".mask"]
config.excludes = ["fixtures", "fixtures.mask", "Inputs"]  # read by tests, no tests themselves
config.test_source_root = os.path.dirname(__file__)
config.environment["PATH"] = os.pathsep.join([config.maskjit_bin, config.llvm_tools, os.environ["PATH"]])
