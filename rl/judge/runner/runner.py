# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Runs one Python program inside a sandbox: rl/judge/runner/Protocol.h. Nothing that it says is trusted, and whoever takes
# it over gains nothing by that: the judge has the clock, the inputs and the expected results.
import array
import builtins
import posix
import sys
import time

EXACT_TYPES, RETURN_INPUTS = 1, 2
# Audit events, up to their point, that no program that only computes causes; rl/judge/PythonNames.cpp has their cheats.
WATCHED = frozenset(("exec", "compile", "marshal", "pickle", "code", "function", "open", "socket", "mmap", "fcntl",
                     "shutil", "urllib", "glob", "tempfile", "os", "subprocess", "pty", "gc", "object", "sys", "ctypes",
                     "signal", "resource", "_thread", "time", "import"))


def read(count):
    parts = []
    while count:
        part = posix.read(3, min(count, 1 << 20))
        if not part:
            posix._exit(0)
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def receive():
    return read(int.from_bytes(read(8), "little"))


def reply(tag, data=b""):
    if isinstance(data, str):
        data = data.encode("utf-8", "replace")
    message = (len(data) + 1).to_bytes(8, "little") + tag + data
    while message:
        message = message[posix.write(4, message):]


def evidence(text):
    reply(b"x", text)
    posix._exit(0)


def withheld(name):
    def function(*arguments, **keywords):
        evidence("builtin " + name)
    return function


def import_withheld(name, globals=None, locals=None, fromlist=(), level=0):
    evidence("import " + str(name))


def restricted_builtins():
    names = dict(builtins.__dict__)
    for name in ("exec", "eval", "compile", "open", "input", "breakpoint"):
        names[name] = withheld(name)
    names["__import__"] = import_withheld
    for name in ("exit", "quit", "help", "copyright", "credits", "license", "__loader__", "__spec__"):
        names.pop(name, None)
    return names


def watch(own):
    # Runs inside the interpreter for whatever reaches its inner doors, by any way; it cannot be removed again.
    def hook(event, arguments):
        if event.partition(".")[0] not in WATCHED or event == "exec" and arguments[0] is own:
            return
        details = " ".join(str(a)[:60] for a in arguments[:2] if isinstance(a, (str, int)))
        evidence("event " + event + " " + details)
    sys.addaudithook(hook)


def refuse(kind, what):
    # A type of the program's own, or one that computes when it is read, is a trick; any other a mistake.
    evidence("%s %s" % (kind, type(what).__name__)) if type(what).__module__ == "program" else None
    if type(what).__name__ in ("generator", "map", "zip", "filter", "range", "reversed", "coroutine"):
        evidence("lazy " + type(what).__name__)
    return None, "expected a list of lists of floats, got a %s of type %s" % (kind, type(what).__name__)


def flatten(rows, count, length, exact):
    if exact and type(rows) is not list:
        return refuse("result", rows)
    out = array.array("d")
    if len(rows) == 0:
        evidence("empty list")
    if len(rows) != count:
        return None, "expected %d rows, got %d" % (count, len(rows))
    for row in rows:
        if exact and type(row) is not list:
            return refuse("row", row)
        if len(row) != length:
            return None, "expected rows of %d elements, got %d" % (length, len(row))
        if exact:
            for x in row:
                if type(x) is not float:
                    return refuse("element", x)
        out.extend(row if exact else [float(x) for x in row])
    return out.tobytes(), None


def rows_of(data, count, length):
    flat = array.array("d")
    flat.frombytes(data)
    flat = flat.tolist()
    return [flat[i * length:(i + 1) * length] for i in range(count)]


def load(source):
    try:
        code = compile(source, "program.py", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        reply(b"i", "%s: %s" % (type(error).__name__, error))
        posix._exit(0)
    namespace = {"__name__": "program", "__builtins__": restricted_builtins()}
    watch(code)
    exec(code, namespace)
    matmul = namespace.get("matmul")
    if not callable(matmul):
        reply(b"i", "the program defines no function `matmul`")
        posix._exit(0)
    return matmul


def main():
    request = receive()
    m, n, k, flags = (int.from_bytes(request[i:i + 4], "little") for i in (0, 4, 8, 12))
    clock, exact, return_inputs = time.monotonic, flags & EXACT_TYPES, flags & RETURN_INPUTS
    try:
        matmul = load(request[16:])
        reply(b"r")
        while True:
            inputs = receive()
            a, b = rows_of(inputs[1:1 + 8 * m * k], m, k), rows_of(inputs[1 + 8 * m * k:], k, n)
            begin = clock()
            result = matmul(a, b)
            seconds = clock() - begin
            data, fault = flatten(result, m, n, exact)
            if fault:
                reply(b"s", fault)
                continue
            done = array.array("d", [seconds]).tobytes() + data
            if return_inputs:
                done += flatten(a, m, k, False)[0] + flatten(b, k, n, False)[0]
            reply(b"d", done)
    except BaseException as error:  # of the program: SystemExit and MemoryError too
        reply(b"e", "%s: %s" % (type(error).__name__, error))


main()
