"""Compose files that several scenarios begin with."""

import urllib.request

from conformance.checks import Mismatch

WEB = """
services:
  web:
    image: IMAGE
    init: true
    command: sh -c 'mkdir -p /www; hostname > /www/name; exec httpd -f -p 80 -h /www'
    ports: ["127.0.0.1:18180:80"]
"""
SLEEP = """
services:
  web:
    image: IMAGE
    init: true
    command: sleep 1000
"""
TWO = """
services:
  web:
    image: IMAGE
    init: true
    command: sleep 1000
  db:
    image: IMAGE
    init: true
    command: sleep 1000
"""
THREE_TIERS = """
services:
  front:
    image: IMAGE
    init: true
    depends_on: {app: {condition: service_healthy}}
    command:
      - sh
      - -c
      - |
        mkdir -p /www/cgi-bin
        printf '#!/bin/sh\\necho; wget -qO- http://app:8080/cgi-bin/count\\n' > /www/cgi-bin/count
        chmod +x /www/cgi-bin/count
        exec httpd -f -p 80 -h /www
    ports: ["127.0.0.1:18181:80"]
    networks: [outside, inside]
  app:
    image: POSTGRES
    init: true
    depends_on:
      cache: {condition: service_healthy}
      db: {condition: service_healthy}
    environment: {PGPASSWORD: secret}
    entrypoint:
      - sh
      - -c
      - |
        mkdir -p /www/cgi-bin
        cat > /www/cgi-bin/count <<'CGI'
        #!/bin/sh
        echo
        hits=$$(printf 'INCR hits\\r\\n' | nc -w 2 cache 6379 | tr -d ':\\r')
        psql -qtA -h db -U postgres -d shop -c "INSERT INTO visits VALUES ($$hits)" -c "SELECT count(*), max(n) FROM visits"
        CGI
        chmod +x /www/cgi-bin/count
        exec busybox httpd -f -p 8080 -h /www
    healthcheck: {test: "netstat -ltn | grep -q :8080", interval: 500ms, retries: 60, start_period: 30s, start_interval: 300ms}
    networks: [inside]
  cache:
    image: REDIS
    volumes: ["cache:/data"]
    healthcheck: {test: ["CMD", "redis-cli", "ping"], interval: 500ms, retries: 60, start_period: 30s, start_interval: 300ms}
    networks: [inside]
  db:
    image: POSTGRES
    environment: {POSTGRES_PASSWORD_FILE: /run/secrets/password, POSTGRES_PASSWORD: secret, POSTGRES_DB: shop}
    volumes:
      - db:/var/lib/postgresql/data
      - ./init:/docker-entrypoint-initdb.d:ro
    healthcheck: {test: ["CMD-SHELL", "pg_isready -h 127.0.0.1 -U postgres"], interval: 1s, retries: 90, start_period: 90s}
    networks: [inside]
networks:
  outside: {}
  inside: {internal: true}
volumes:
  cache: {}
  db: {}
"""


def fetch(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            text: str = answer.read().decode()
            return text
    except OSError as e:
        raise Mismatch(f"{url}: {e}") from e
