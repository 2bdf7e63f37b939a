"""Names of games, as people type them; seeds of environments."""

import pytest

from hieros_eqx.envs import ALL_GAMES, ATARI100K_GAMES, SLIDES_GAMES, canonical_game, env_seeds
from hieros_eqx.envs.names import find_game, rom_name
from hieros_eqx.errors import EnvError


@pytest.mark.parametrize(
    ("typed", "game"),
    [
        ("PrivateEye", "PrivateEye"),
        ("private_eye", "PrivateEye"),
        ("private-eye", "PrivateEye"),
        ("Private Eye", "PrivateEye"),
        ("PRIVATEEYE", "PrivateEye"),
        ("ms pacman", "MsPacman"),
        ("Ms. Pacman", "MsPacman"),
        ("Ms.Packman", "MsPacman"),
        ("MsPacmanNoFrameskip-v4", "MsPacman"),
        ("Jamesbond", "Jamesbond"),
        ("JamesBond", "Jamesbond"),
        ("James Bond", "Jamesbond"),
        ("ALE/Pong-v5", "Pong"),
        ("pong-v5", "Pong"),
        ("PongDeterministic-v4", "Pong"),
        ("Chop.Command", "ChopperCommand"),
        ("battle zone", "BattleZone"),
        ("Kung-Fu Master", "KungFuMaster"),
        ("up n down", "UpNDown"),
        ("Up'n Down", "UpNDown"),
        ("q*bert", "Qbert"),
        ("H.E.R.O.", "Hero"),
        ("tic_tac_toe_3d", "TicTacToe3d"),
        ("pitfall 2", "Pitfall2"),
    ],
)
def test_usual_spellings(typed, game):
    assert canonical_game(typed) == game


@pytest.mark.parametrize("game", ALL_GAMES)
def test_every_game_has_its_own_spellings(game):
    for spelling in (game, game.lower(), rom_name(game), rom_name(game).replace("_", "-"), f"ALE/{game}-v5"):
        assert canonical_game(spelling) == game


@pytest.mark.parametrize(
    ("typed", "near"),
    [("Pongg", "Pong"), ("private eyes", "PrivateEye"), ("Seaqest", "Seaquest"), ("brekout", "Breakout")],
)
def test_wrong_names_get_the_nearest(typed, near):
    assert find_game(typed) is None
    with pytest.raises(
        EnvError, match=f"wanted the name of an Atari game, got '{typed}': did you mean {near}"
    ):
        canonical_game(typed)


def test_nonsense_gets_the_list():
    with pytest.raises(EnvError, match="ALL_GAMES"):
        canonical_game("xxqqzz99")


def test_other_environments_are_no_games():
    assert [find_game(x) for x in ("Blackjack-v1", "CartPole-v1", "Catch-v0", "MinAtar/Breakout-v1")] == [
        None
    ] * 4


def test_lists_of_games():
    assert len(SLIDES_GAMES) == len(set(SLIDES_GAMES)) == 25
    assert len(ATARI100K_GAMES) == len(set(ATARI100K_GAMES)) == 26
    assert set(ATARI100K_GAMES) <= set(ALL_GAMES)
    assert list(ALL_GAMES) == sorted(set(ALL_GAMES))


def test_lists_are_those_of_the_backends():
    envpool = pytest.importorskip("envpool")
    known = set(envpool.list_all_envs())
    assert [game for game in ALL_GAMES if f"{game}-v5" not in known] == []
    roms = pytest.importorskip("ale_py.roms")
    assert [game for game in ALL_GAMES if rom_name(game) not in roms.get_all_rom_ids()] == []


def test_seeds_are_distinct_and_do_not_depend_on_how_many():
    many = env_seeds(3, 500)
    assert len(set(many)) == 500 and all(0 <= s < 2**31 for s in many)
    assert env_seeds(3, 5) == many[:5]
    assert not set(env_seeds(3, 500, training=False)) & set(many)
    assert env_seeds([3, 4], 6) == [*env_seeds(3, 3), *env_seeds(4, 3)]


@pytest.mark.parametrize(("seed", "num_envs"), [(0, 0), ([0, 1], 3), ([], 1), (-1, 1)])
def test_impossible_seeds(seed, num_envs):
    with pytest.raises(EnvError, match="wanted"):
        env_seeds(seed, num_envs)
