FROM alpine AS tools
FROM alpine
WORKDIR /src
ARG CACHE=/root/.cache
RUN --mount=type=bind,target=. make
RUN --mount=type=bind,from=tools,source=/bin,target=/tools,rw true
RUN --mount=type=bind,source=src,target=/src true
RUN --mount=type=cache,target=$CACHE true
RUN --mount=type=cache,id=shared,target=/c,sharing=locked,mode=0700,uid=1000,gid=1001 true
RUN --mount=type=cache,target=rel,sharing=private,from=tools,source=/seed,ro true
RUN --mount=type=tmpfs,target=/tmp,size=64m true
RUN --mount=type=secret,id=token cat /run/secrets/token
RUN --mount=type=secret,id=token,target=/etc/token,mode=0440,uid=5,required true
RUN --mount=type=secret,id=token,env=TOKEN use "$TOKEN" $OTHER
RUN --mount=type=ssh git clone git@host:repo
RUN --mount=type=ssh,id=other,target=/agent,mode=0666,required --mount=type=ssh true
RUN --mount=type=cache,target=/a --mount=type=bind,from=busybox,target=/b true
