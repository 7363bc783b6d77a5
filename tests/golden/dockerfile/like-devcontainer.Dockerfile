ARG VARIANT="3.12-bookworm"
FROM mcr.microsoft.com/devcontainers/python:1-${VARIANT}
ARG NODE_VERSION="none"
RUN if [ "${NODE_VERSION}" != "none" ]; then su vscode -c "umask 0002 && nvm install ${NODE_VERSION} 2>&1"; fi
ARG USERNAME=vscode USER_UID=1000
ARG USER_GID=$USER_UID
USER $USERNAME
ENV HISTFILE=/commandhistory/.bash_history
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN echo "uid ${USER_UID}:${USER_GID}" | tee /tmp/who
