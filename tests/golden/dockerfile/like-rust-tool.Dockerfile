FROM rust:1-slim AS chef
WORKDIR /app
RUN cargo install chef
FROM chef AS planner
COPY . .
RUN cargo chef prepare --recipe-path recipe.json
FROM chef AS builder
COPY --from=planner /app/recipe.json recipe.json
RUN cargo chef cook --release --recipe-path recipe.json
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/app/target,sharing=locked \
    cargo build --release && cp target/release/tool /tool
FROM debian:bookworm-slim AS runtime
COPY --from=builder /tool /usr/local/bin
ENTRYPOINT ["/usr/local/bin/tool"]
