"""Replay by its definition: Python lists that never forget. Imports nothing of ours."""


class OracleReplay:
    """Every entry ever written, `entries[env][level][number]`; what counts as overwritten is recomputed."""

    def __init__(self, num_envs, capacities):
        self.capacities = capacities
        self.entries = [[[] for _ in capacities] for _ in range(num_envs)]

    def in_ring(self, env, level, number):
        written = len(self.entries[env][level])
        return 0 <= number < written and number >= written - self.capacities[level]

    def is_whole(self, env, level, number):
        if not self.in_ring(env, level, number):
            return False
        pointers = self.entries[env][level][number]["pointers"]
        return level == 0 or all(self.in_ring(env, level - 1, p) for p in pointers)

    def valid_starts(self, env, level, length):
        return [
            start
            for start in range(len(self.entries[env][level]))
            if all(self.is_whole(env, level, start + t) for t in range(length))
            and (start == 0 or self.in_ring(env, level, start - 1))
        ]

    def sequence(self, env, level, start, length, reset):
        """Entries from `start` with `previous_action`, `window` and forced reset; and the entry before."""
        written = self.entries[env][level]
        steps = []
        for number in range(start, start + length):
            entry = dict(written[number])
            entry["is_first"] = entry["is_first"] or (reset and number == start)
            has_previous = number > 0 and not entry["is_first"]
            entry["previous_action"] = written[number - 1]["action"] if has_previous else None
            entry["window"] = [self.entries[env][level - 1][p] for p in entry["pointers"]]
            steps.append(entry)
        return steps, written[start - 1] if start > 0 else None


class Episodes:
    """One environment's life: episodes of random length with per-environment clocks on every level.

    `step` returns, for every level, the entry that it makes now, or None. Level i is due every k**i steps
    since the reset, and at the end. A window starts filled with the first latent of the episode.
    """

    def __init__(self, env, levels, k, window, lengths, sizes, rng):
        self.env, self.levels, self.k, self.window = env, levels, k, window
        self.lengths, self.sizes, self.rng = lengths, sizes, rng
        self.written = [0] * levels
        self.reset()

    def reset(self):
        self.steps = 0
        self.length = int(self.rng.integers(*self.lengths))
        self.held = [[] for _ in range(self.levels)]

    def step(self):
        is_first, is_last = self.steps == 0, self.steps == self.length
        made = []
        for level in range(self.levels):
            if not (self.steps % self.k**level == 0 or is_last):
                made.append(None)
                continue
            made.append(self.entry(level, is_first, is_last))
            number = self.written[level]
            self.held[level] = [*(self.held[level] or [number] * self.k)[1:], number]
            self.written[level] += 1
        self.steps += 1
        if is_last:
            self.reset()
        return made

    def entry(self, level, is_first, is_last):
        rng, sizes = self.rng, self.sizes
        factors, classes = (1, sizes["action"]) if level == 0 else (sizes["factors"], sizes["classes"])
        top = level == self.levels - 1
        return {
            "level": level,
            "pointers": self.held[level - 1][-self.window :] if level else [],
            "observation": rng.integers(0, 256, sizes["observation"]),
            "action": [-1] * factors if is_last else rng.integers(0, classes, factors).tolist(),
            "code": [-1] * sizes["factors"]
            if top
            else rng.integers(0, sizes["classes"], sizes["factors"]).tolist(),
            "reward": float(rng.integers(-9, 9)),
            "is_first": is_first,
            "is_last": is_last,
            "is_terminal": is_last and bool(rng.integers(2)),
            "stoch": rng.integers(0, sizes["stoch_classes"], sizes["stoch"]).tolist(),
            # whole numbers up to 256 are exact in bfloat16
            "deter": rng.integers(-128, 128, sizes["deter"]).astype("float32"),
            "state": rng.integers(-128, 128, sizes["state"]).astype("float32"),
        }
