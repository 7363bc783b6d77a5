FROM debian:bookworm-slim
ENV PATH=/usr/local/bin:$PATH
ENV LANG=C.UTF-8
RUN set -eux; \
	apt-get update; \
	apt-get install -y --no-install-recommends ca-certificates tzdata; \
	rm -rf /var/lib/apt/lists/*
ENV PYTHON_VERSION=3.12.4
ENV PYTHON_SHA256=abcdef
RUN set -eux; \
	\
	savedAptMark="$(apt-mark showmanual)"; \
	wget -O python.tar.xz "https://host/${PYTHON_VERSION%%[a-z]*}/Python-$PYTHON_VERSION.tar.xz"; \
	echo "$PYTHON_SHA256 *python.tar.xz" | sha256sum -c -; \
	find /usr/local -depth \
		\( \
			\( -type d -a \( -name test -o -name tests \) \) \
		\) -exec rm -rf '{}' + \
	; \
	python3 --version
RUN set -eux; for src in idle3 pip3; do dst="$(echo "$src" | tr -d 3)"; ln -svT "$src" "/usr/local/bin/$dst"; done
CMD ["python3"]
