# In the style of a documentation site: parallel stages that check and build, artefacts collected from each.
FROM IMAGE AS base
WORKDIR /work
FROM base AS lint
RUN --mount=type=bind,target=. ls src/*.txt > /lint.txt
FROM base AS generate
RUN --mount=type=bind,target=.,rw <<EOT
mkdir -p public /out
for page in src/*.txt; do echo "<p>$(cat $page)</p>" > public/$(basename $page .txt).html; done
cp -a public /out/
EOT
FROM base AS assets
COPY --exclude=*.map static /out/assets
RUN find /out/assets -type f | sort > /manifest && mv /manifest /out/assets/
FROM scratch AS artefacts
COPY --from=lint /lint.txt /reports/
COPY --from=generate /out/public /public
COPY --from=assets /out/assets /public/assets
FROM base
ONBUILD COPY . /usr/share/site
COPY --link --from=artefacts --chown=33:33 /public /usr/share/site
COPY --from=artefacts /reports/*.txt /usr/share/doc/site/
ENV SITE=/usr/share/site
CMD httpd -f -h $SITE
