"""The names of the Atari games, and what people type for them."""

import difflib
import re

from hieros_eqx.errors import EnvError

# fmt: off
ALL_GAMES = (
    "Adventure", "AirRaid", "Alien", "Amidar", "Assault", "Asterix", "Asteroids", "Atlantis", "Atlantis2",
    "Backgammon", "BankHeist", "BasicMath", "BattleZone", "BeamRider", "Berzerk", "Blackjack", "Bowling",
    "Boxing", "Breakout", "Carnival", "Casino", "Centipede", "ChopperCommand", "CrazyClimber", "Crossbow",
    "Darkchambers", "Defender", "DemonAttack", "DonkeyKong", "DoubleDunk", "Earthworld", "ElevatorAction",
    "Enduro", "Entombed", "Et", "FishingDerby", "FlagCapture", "Freeway", "Frogger", "Frostbite",
    "Galaxian", "Gopher", "Gravitar", "Hangman", "HauntedHouse", "Hero", "HumanCannonball", "IceHockey",
    "Jamesbond", "JourneyEscape", "Kaboom", "Kangaroo", "KeystoneKapers", "KingKong", "Klax", "Koolaid",
    "Krull", "KungFuMaster", "LaserGates", "LostLuggage", "MarioBros", "MiniatureGolf",
    "MontezumaRevenge", "MrDo", "MsPacman", "NameThisGame", "Othello", "Pacman", "Phoenix", "Pitfall",
    "Pitfall2", "Pong", "Pooyan", "PrivateEye", "Qbert", "Riverraid", "RoadRunner", "Robotank",
    "Seaquest", "SirLancelot", "Skiing", "Solaris", "SpaceInvaders", "SpaceWar", "StarGunner", "Superman",
    "Surround", "Tennis", "Tetris", "TicTacToe3d", "TimePilot", "Trondead", "Turmoil", "Tutankham",
    "UpNDown", "Venture", "VideoCheckers", "VideoChess", "VideoCube", "VideoPinball", "WizardOfWor",
    "WordZapper", "YarsRevenge", "Zaxxon",
)
SLIDES_GAMES = (
    "Alien", "Amidar", "Assault", "Asterix", "BankHeist", "BattleZone", "Boxing", "Breakout",
    "ChopperCommand", "CrazyClimber", "DemonAttack", "Freeway", "Frostbite", "Gopher", "Hero",
    "Jamesbond", "Kangaroo", "Krull", "KungFuMaster", "MsPacman", "Pong", "PrivateEye", "Qbert",
    "RoadRunner", "Seaquest",
)
# fmt: on
ATARI100K_GAMES = (*SLIDES_GAMES, "UpNDown")

_OTHER_SPELLINGS = {
    "mspacman": "MsPacman",
    "mrspacman": "MsPacman",
    "misspacman": "MsPacman",
    "jamesbond007": "Jamesbond",
    "mspackman": "MsPacman",
    "chopcommand": "ChopperCommand",
    "upanddown": "UpNDown",
    "updown": "UpNDown",
    "montezumasrevenge": "MontezumaRevenge",
    "extraterrestrial": "Et",
    "tictactoe": "TicTacToe3d",
    "wizardofwar": "WizardOfWor",
}
_KEYS = {game.lower(): game for game in ALL_GAMES} | _OTHER_SPELLINGS


def find_game(name: str) -> str | None:
    """The game that `name` spells, or None.

    Case, spaces, hyphens, underscores, dots and quotes do not count; neither do the prefix `ALE/` and the
    version suffixes of Atari ids (`-v5`, `NoFrameskip-v4`, `Deterministic-v0`).
    """
    bare = re.sub(r"^ale/", "", name.strip().lower())
    bare = re.sub(r"(noframeskip|deterministic)?-v[045]$", "", bare)
    return _KEYS.get(re.sub(r"[\s_\-.'*]", "", bare))


def canonical_game(name: str) -> str:
    """The name of an Atari game as this project writes it: `private_eye` -> `PrivateEye`.

    Raises `EnvError` with the nearest names if there is no such game.
    """
    game = find_game(name)
    if game is None:
        key = re.sub(r"[^a-z0-9]", "", name.lower())
        near = [_KEYS[k] for k in difflib.get_close_matches(key, _KEYS, n=3, cutoff=0.5)]
        hint = (
            f"did you mean {' or '.join(dict.fromkeys(near))}?" if near else "`ALL_GAMES` lists all of them"
        )
        raise EnvError(f"wanted the name of an Atari game, got {name!r}: {hint}")
    return game


def rom_name(game: str) -> str:
    """The file name of a game's ROM: `MsPacman` -> `ms_pacman`."""
    if game == "TicTacToe3d":
        return "tic_tac_toe_3d"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", game).lower()
