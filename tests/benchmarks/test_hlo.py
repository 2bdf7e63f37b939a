"""What is read from the text of an optimised program."""

import jax
import jax.numpy as jnp
import pytest
from hlo import Traffic, parse, shape_bytes, traffic

PROGRAM = """HloModule example

%fused_computation (param_0: f32[1000,8], param_1: s32[2]) -> f32[2,8] {
  %param_0 = f32[1000,8]{1,0} parameter(0)
  %param_1 = s32[2]{0} parameter(1)
  ROOT %taken = f32[2,8]{1,0} gather(%param_0, %param_1), offset_dims={1}, slice_sizes={1,8}
}

%fused_write (ring: f32[1000,8], new: f32[1,8], at: s32[]) -> f32[1000,8] {
  %ring = f32[1000,8]{1,0} parameter(0)
  %new = f32[1,8]{1,0} parameter(1)
  %at = s32[] parameter(2)
  %zero = s32[] constant(0)
  ROOT %written = f32[1000,8]{1,0} dynamic-update-slice(%ring, %new, %at, %zero)
}

%body (carry: (s32[], f32[4,4])) -> (s32[], f32[4,4]) {
  %carry = (s32[], f32[4,4]{1,0}) parameter(0)
  %x = f32[4,4]{1,0} get-tuple-element(%carry), index=1
  %i = s32[] get-tuple-element(%carry), index=0
  %y = f32[4,4]{1,0} dot(%x, %x), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  ROOT %next = (s32[], f32[4,4]{1,0}) tuple(%i, %y)
}

%condition (carry: (s32[], f32[4,4])) -> pred[] {
  %carry.1 = (s32[], /*index=1*/f32[4,4]{1,0}) parameter(0)
  ROOT %go = pred[] constant(true)
}

ENTRY %main (a: f32[1000,8], b: s32[2], c: f32[1,8], d: s32[], e: (s32[], f32[4,4])) -> f32[2,8] {
  %a = f32[1000,8]{1,0} parameter(0)
  %b = s32[2]{0} parameter(1)
  %c = f32[1,8]{1,0} parameter(2)
  %d = s32[] parameter(3)
  %e = (s32[], f32[4,4]{1,0}) parameter(4)
  %rows = f32[2,8]{1,0} fusion(%a, %b), kind=kLoop, calls=%fused_computation
  %kept = f32[1000,8]{1,0} fusion(%a, %c, %d), kind=kLoop, calls=%fused_write
  %loop = (s32[], f32[4,4]{1,0}) while(%e), condition=%condition, body=%body, TRIPS
  %bits = u32[8]{0} custom-call(%b), custom_call_target="something"
  ROOT %out = f32[2,8]{1,0} copy(%rows)
}
""".replace("TRIPS", 'backend_config={"known_trip_count":{"n":"5"}}')


def test_launches_and_bytes_of_a_program_by_hand():
    gathered, written, product = 2 * 64 + 8, 2 * 32 + 4, 3 * 64
    assert traffic(PROGRAM) == Traffic(
        launches=1 + 1 + 5 + 1 + 1,
        bytes=gathered + written + 5 * product + (8 + 32) + 2 * 64,
    )


def test_a_loop_that_makes_random_bits_is_one_kernel():
    metadata = 'metadata={op_name="jit(f)/jit(_gumbel)/while"}, backend_config'
    random = PROGRAM.replace("body=%body, backend_config", f"body=%body, {metadata}")
    assert traffic(PROGRAM).launches - traffic(random).launches == 4


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ("f32[2,3]{1,0}", 24),
        ("(s32[], pred[7]{0}, /*index=2*/bf16[4]{0})", 19),
        ("c64[3]", 24),
        ("u8[5]", 5),
        ("f8e4m3fn[6]", 6),
        ("f32[0,3]", 0),
    ],
)
def test_bytes_of_a_shape(shape, wanted):
    assert shape_bytes(shape) == wanted


def test_a_compiled_program_is_read_whole():
    def program(x, ring, i):
        x = jax.lax.scan(lambda carry, _: (jnp.tanh(carry @ carry), None), x, None, length=7)[0]
        return x, ring.at[i].set(x[0])

    args = jnp.ones((16, 16), jnp.float32), jnp.zeros((100_000, 16), jnp.float32), jnp.int32(3)
    text = jax.jit(program, donate_argnums=1).lower(*args).compile().as_text()
    computations, entry = parse(text)
    assert "while" in {i.opcode for i in computations[entry].instructions.values()}
    found = traffic(text)
    assert 7 < found.launches < 100
    assert found.bytes < 100_000 * 16 * 4  # the ring is written in place


def test_other_texts_are_refused():
    with pytest.raises(ValueError, match="ENTRY"):
        traffic("module @jit_f {\n}\n")
