"""Which metrics the page draws, under which name and in which unit."""

from hieros_eqx.report.page.metric_charts import Panel

NATS = "nats per step"
WORLD_MODEL = (
    Panel("world_model/loss", "Whole loss", NATS, "log", "All terms below, weighted."),
    Panel("world_model/reconstruction", "Reconstruction", NATS, "log", "What is seen, from the latent."),
    Panel("world_model/reward", "Reward", NATS, "log", "The reward, from the latent."),
    Panel("world_model/continuation", "Continuation", NATS, "log", "Whether the episode goes on."),
    Panel(
        "world_model/dyn", "Dynamics", NATS, caption="KL that trains the prior; never below the free nats."
    ),
    Panel("world_model/rep", "Representation", NATS, caption="The same KL, as it trains the posterior."),
    Panel(
        "world_model/goal", "p(z | h)", NATS, caption="How hard z is to tell from h alone: where goals live."
    ),
    Panel("world_model/posterior_entropy", "Entropy of the posterior", "nats"),
    Panel("world_model/prior_entropy", "Entropy of the prior", "nats"),
)
BEHAVIOUR = (
    Panel(
        "behaviour/entropy",
        "Entropy of the actor",
        "nats",
        y_limits=(0, None),
        caption="0: always the same action.",
    ),
    Panel("behaviour/actor_loss", "Actor loss", "weighted log-probability"),
    Panel("behaviour/critic_loss/extrinsic", "Critic loss, extrinsic", "nats"),
    Panel("behaviour/critic_loss/subgoal", "Critic loss, subgoal", "nats"),
    Panel("behaviour/critic_loss/novelty", "Critic loss, novelty", "nats"),
)
AUTOENCODER = (
    Panel("autoencoder/loss", "Whole loss", "squared error + KL", "log"),
    Panel("autoencoder/reconstruction", "Reconstruction", "squared error", "log"),
    Panel("autoencoder/kl", "KL to the uniform prior", "nats", "log"),
    Panel("autoencoder/explained_variance", "Explained variance", "share", y_limits=(None, 1.0)),
)
VALUES = tuple(
    Panel(f"behaviour/{part}/{kind}", f"{title}, {kind}", unit)
    for part, title, unit in (
        ("value", "Value", "discounted reward"),
        ("returns", "Return", "discounted reward"),
        ("return_range", "Range of returns", "discounted reward"),
        ("advantage", "Advantage", "mean size, weighted"),
    )
    for kind in ("extrinsic", "subgoal", "novelty")
)
GOAL = (
    Panel(
        "goal/given",
        "When it is given",
        "likeness, 0 to 1",
        caption="Level and goal, when the level above gives a new one.",
    ),
    Panel(
        "goal/left",
        "When it is left",
        "likeness, 0 to 1",
        caption="The same, when the next replaces it.",
    ),
    Panel(
        "goal/others",
        "When it is left, to other goals",
        "likeness, 0 to 1",
        caption="Level and goals of other sequences: lower than its own where the level followed.",
    ),
)
_NETWORKS = (
    ("world_model", "World model"),
    ("actor", "Actor"),
    ("critic", "Critics"),
    ("autoencoder", "Autoencoder"),
)
GRADIENTS = tuple(Panel(f"gradient_norm/{name}", title, "global norm", "log") for name, title in _NETWORKS)
CLIPPED = (
    *(Panel(f"clipped/{name}", title, "share of updates", y_limits=(0, None)) for name, title in _NETWORKS),
    Panel("skipped", "Skipped updates", "share of updates", y_limits=(0, None)),
)
