FROM alpine AS other
FROM alpine
WORKDIR /w
COPY a b
COPY a .
COPY a ./dir/
COPY a /abs
COPY a b* [cd].txt /many/
COPY ["a b", "/c d"]
COPY / /
COPY ../up /
COPY dir/ /dir
COPY --from=other --link /x /y
COPY --link --chmod=755 a /b
COPY --chown=app:app a /b
COPY --chown=1000 a /b
COPY --link --chown=app a /b
COPY --chmod=u=rwX,go=rX a /b
COPY --exclude=*.md --exclude=**/test docs /docs
COPY --parents src/./a/*.c lib/b.h /x/
