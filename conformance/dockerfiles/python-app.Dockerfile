# In the style of a Python web application: wheels built in one stage, a virtual environment copied into the next.
FROM IMAGE AS builder
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    --mount=type=bind,source=requirements.txt,target=/requirements.txt <<EOT
set -e
mkdir -p /venv/bin /venv/lib/python3/site-packages
while read -r name; do
    mkdir /venv/lib/python3/site-packages/$name
    echo "name = '$name'" > /venv/lib/python3/site-packages/$name/__init__.py
done < /requirements.txt
ln -s /usr/bin/python3 /venv/bin/python
EOT
FROM IMAGE
LABEL org.opencontainers.image.title="python app" org.opencontainers.image.licenses=MIT
ENV PATH=/venv/bin:$PATH VIRTUAL_ENV=/venv
RUN echo app:x:101: >> /etc/group && echo app:x:100:101::/srv:/bin/false >> /etc/passwd
WORKDIR /srv
COPY --link --from=builder /venv /venv
COPY --chown=app:app src ./src
COPY --chmod=0755 <<'EOT' /usr/local/bin/start
#!/bin/sh
exec python -m src "$@"
EOT
USER app
ENTRYPOINT ["start"]
