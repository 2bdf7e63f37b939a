"""The errors users meet. Each message says what was wanted, what was got, and what to do."""


class HierosError(Exception):
    """Base of all errors that are the caller's to mend; the command line prints them as one line."""


class ConfigError(HierosError, ValueError):
    """A configuration field has a value that is not allowed, or does not exist."""


class CheckpointError(HierosError):
    """A run directory or checkpoint is missing, damaged, or belongs to another configuration."""


class EnvError(HierosError):
    """An environment cannot be made, or breaks its contract."""


class TrainingError(HierosError):
    """Training cannot go on: update after update gives numbers that are not finite."""
