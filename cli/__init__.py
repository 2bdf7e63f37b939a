"""The command line `hieros-eqx`: parses, builds a configuration, calls training or report."""
