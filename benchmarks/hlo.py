"""Reading an optimised HLO program: what it would launch on a GPU, and what its kernels read and write.

XLA's own counts (`compiled.cost_analysis()`) take the body of a loop once; here it counts with its trips.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Traffic(NamedTuple):
    """Kernels launched, and bytes that they read and write."""

    launches: int
    bytes: int

    def __add__(self, other: tuple) -> "Traffic":  # type: ignore[override]
        return Traffic(self.launches + other[0], self.bytes + other[1])

    def times(self, count: int) -> "Traffic":
        """The same, so many times."""
        return Traffic(self.launches * count, self.bytes * count)


@dataclass
class Instruction:
    """One line of a computation."""

    name: str
    shape: str
    opcode: str
    operands: list[str]
    rest: str
    root: bool

    @property
    def size(self) -> int:
        """Bytes of the result."""
        return shape_bytes(self.shape)


@dataclass
class Computation:
    """A named list of instructions."""

    instructions: dict[str, Instruction] = field(default_factory=dict)

    @property
    def root(self) -> Instruction:
        """What the computation returns."""
        return next(i for i in self.instructions.values() if i.root)

    def users(self, name: str) -> Iterator[Instruction]:
        """Return the instructions that read a value."""
        return (i for i in self.instructions.values() if name in i.operands)


FREE = ("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "iota")
SLICES = ("dynamic-slice", "gather", "slice")
INTO = {"dynamic-update-slice": 1, "scatter": 2}  # written in place: which operand is new
RANDOM = re.compile(r'op_name="[^"]*(threefry|random_bits|_uniform|_gumbel|_normal)')
DTYPE_BYTES = {"pred": 1, "s4": 1, "u4": 1, "c64": 8, "c128": 16, "token": 0, "opaque": 0}
SHAPE = re.compile(r"([a-z]\w*)\[([\d,]*)\]")
CALLED = re.compile(r"(calls|body|condition|to_apply|true_computation|false_computation)=%?([\w.\-]+)")
BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


def traffic(text: str) -> Traffic:
    """Return launches and bytes of an HLO module in text form.

    Every instruction but bookkeeping is a kernel, with its operands read and its result written once. Slices
    and gathers read what they take, updates in place write what is new. A loop counts with its trips (1 where
    unknown), one that makes random bits as one kernel; of branches the longer counts. Raises `ValueError` if
    there is no entry computation.
    """
    computations, entry = parse(text)
    return _of_computation(computations, entry)


def shape_bytes(shape: str) -> int:
    """Return the bytes of an array, or of all arrays of a tuple."""
    total = 0
    for dtype, sizes in SHAPE.findall(shape):
        each = DTYPE_BYTES.get(dtype)
        if each is None:
            each = max(1, int(re.sub(r"\D", "", dtype.split("e")[0]) or 8) // 8)
        total += each * math.prod(int(size) for size in sizes.split(",") if size)
    return total


def parse(text: str) -> tuple[dict[str, Computation], str]:
    """Return all computations by name, and the name of the entry."""
    computations: dict[str, Computation] = {}
    entry, current = "", Computation()
    for line in text.splitlines():
        if line.endswith("{") and not line.startswith((" ", "HloModule")):
            name = line.removeprefix("ENTRY ").split()[0].lstrip("%")
            current = computations.setdefault(name, Computation())
            entry = name if line.startswith("ENTRY ") else entry
        elif line.startswith("  ") and " = " in line:
            instruction = _instruction(line)
            current.instructions[instruction.name] = instruction
    if not entry:
        raise ValueError("wanted the text of an HLO module with an ENTRY computation")
    return computations, entry


def _instruction(line: str) -> Instruction:
    left, right = line.strip().split(" = ", 1)
    end = _closing(right) if right.startswith("(") else right.index(" ")
    shape, right = right[:end].strip(), right[end:].strip()
    opcode, right = right.split("(", 1)
    end = _closing("(" + right) - 1
    operands = re.findall(r"%([\w.\-]+)", right[: end - 1])
    return Instruction(
        left.removeprefix("ROOT ").lstrip("%"),
        shape,
        opcode,
        operands,
        right[end:],
        left.startswith("ROOT "),
    )


def _closing(text: str) -> int:
    """Return the index after the parenthesis that closes the first."""
    depth = 0
    for i, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return i + 1
    raise ValueError(f"no closing parenthesis in {text[:80]!r}")


def _of_computation(computations: dict[str, Computation], name: str) -> Traffic:
    total, computation = Traffic(0, 0), computations[name]
    for instruction in computation.instructions.values():
        if instruction.opcode not in FREE:
            total += _of_instruction(computations, computation, instruction)
    return total


def _of_instruction(
    computations: dict[str, Computation], computation: Computation, instruction: Instruction
) -> Traffic:
    called = dict(CALLED.findall(instruction.rest))
    match instruction.opcode:
        case "while":
            if RANDOM.search(instruction.rest):
                return Traffic(1, 2 * instruction.size)
            trips = TRIPS.search(instruction.rest)
            once = _of_computation(computations, called["body"]) + _of_computation(
                computations, called["condition"]
            )
            return once.times(int(trips[1]) if trips else 1)
        case "conditional":
            branches = BRANCHES.search(instruction.rest)
            names = re.findall(r"[\w.\-]+", branches[1]) if branches else list(called.values())
            return max(_of_computation(computations, branch) for branch in names)
        case "call":
            return _of_computation(computations, called["to_apply"])
        case "fusion":
            return Traffic(1, _fusion_bytes(computations[called["calls"]]))
    sizes = [computation.instructions[name].size for name in instruction.operands]
    if instruction.opcode in SLICES:
        return Traffic(1, 2 * instruction.size)
    if instruction.opcode in INTO:
        return Traffic(1, 2 * sizes[INTO[instruction.opcode]])
    return Traffic(1, sum(sizes) + instruction.size)


def _fusion_bytes(fused: Computation) -> int:
    root = fused.root
    names = root.operands if root.opcode == "tuple" else [root.name]
    total = sum(_written(fused, fused.instructions[name]) for name in names)
    for instruction in fused.instructions.values():
        if instruction.opcode == "parameter":
            total += _read(fused, instruction)
    return total


def _written(fused: Computation, root: Instruction) -> int:
    if root.opcode in INTO:
        return fused.instructions[root.operands[INTO[root.opcode]]].size
    return root.size


def _read(fused: Computation, parameter: Instruction) -> int:
    """Return the bytes read of a parameter: all, unless it is only sliced or updated in place."""
    total = 0
    for user in fused.users(parameter.name):
        if user.operands[0] == parameter.name and user.opcode in SLICES:
            total += user.size
        elif not (user.operands[0] == parameter.name and user.opcode in INTO):
            return parameter.size
    return min(total, parameter.size)
