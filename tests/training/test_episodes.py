from hieros_eqx.envs import random_length
from hieros_eqx.training import episodes


def test_returns_and_lengths_against_scripted_episodes():
    lengths = [[3, 1], [2], [5, 4, 1]]
    env = random_length(num_envs=3, lengths=lengths, truncate_every=2)
    counters, found = episodes.open_episodes(3), [[], [], []]
    rewards = [0.0, 0.0, 0.0]
    timestep = env.reset()
    for _ in range(40):
        counters, ended = episodes.observe(counters, timestep)
        for i in range(3):
            rewards[i] = 0.0 if timestep.is_first[i] else rewards[i] + float(timestep.reward[i])
        for episode in ended:
            assert episode.episode_return == rewards[episode.env]
            found[episode.env].append((episode.length, episode.truncated))
        timestep = env.step([0, 0, 0])
    for played, script in zip(found, lengths, strict=True):
        assert len(played) >= 6
        assert played == [(script[i % len(script)], i % 2 == 1) for i in range(len(played))]
