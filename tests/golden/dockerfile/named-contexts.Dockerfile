FROM base AS app
COPY --from=src main.c /
RUN --mount=from=src,source=lib,target=/lib cc
COPY --from=web x /
FROM replaced AS stage
RUN never
FROM app
COPY --from=stage /z /z
COPY --from=alpine /a /a
