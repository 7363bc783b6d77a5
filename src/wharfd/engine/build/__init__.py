"""The builder: graphs, the solver that carries them out, its cache, exporters.  `docs/build.md` tells how a build goes."""
