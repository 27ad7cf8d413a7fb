"""Which instructions the (emulated) processor has, by executing each: prints JSON, `{"sdot": false, ...}`.

The proof that what ran here without SIGILL would run on a processor without them.
"""

import ctypes
import json
import mmap
import multiprocessing
import sys
from typing import cast

RETURN = 0xD65F03C0
INSTRUCTIONS = {
    "asimd": 0x4EA28420,  # add v0.4s, v1.4s, v2.4s: every ARMv8 has it, the control
    "sdot": 0x4E829420,  # sdot v0.4s, v1.16b, v2.16b: dot product, ARMv8.2 and later
    "ldadd": 0xB8200041,  # ldadd w0, w1, [x2]: LSE atomics, ARMv8.1 and later
}


def execute(instruction: int) -> None:
    """Run it with the address of a free word in x2; the process dies of SIGILL where it does not exist."""
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(instruction.to_bytes(4, "little") + RETURN.to_bytes(4, "little"))
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    word = ctypes.c_uint32(0)
    ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_void_p)(address)(1, 2, ctypes.byref(word))


def main() -> None:
    """Try each in a process of its own."""
    there = {}
    for name, instruction in INSTRUCTIONS.items():
        process = multiprocessing.get_context("fork").Process(target=execute, args=(instruction,))
        process.start()
        process.join()
        there[name] = cast("int", process.exitcode) == 0
    json.dump(there, sys.stdout)


if __name__ == "__main__":
    main()
