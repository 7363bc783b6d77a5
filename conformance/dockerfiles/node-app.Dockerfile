# In the style of a JavaScript application: dependencies for building and for running apart, the application's own user.
FROM IMAGE AS base
ENV NODE_ENV=production
WORKDIR /app
FROM base AS dependencies
COPY package*.json ./
RUN mkdir -p node_modules/.bin node_modules/left node_modules/right && echo '{}' > node_modules/left/package.json \
    && echo 'module' > node_modules/right/index.js && ln -s ../right/index.js node_modules/.bin/right
FROM base AS build
COPY --from=dependencies /app/node_modules ./node_modules
COPY . .
RUN mkdir -p dist && for file in src/*.txt; do tr a-z A-Z < "$file" > "dist/$(basename "$file" .txt).js"; done && rm -rf node_modules/left
FROM base
RUN echo app:x:1001:1001::/app:/bin/sh >> /etc/passwd && echo app:x:1001: >> /etc/group && chown app /app
COPY --from=dependencies --chown=1001 /app/node_modules ./node_modules
COPY --from=build --chown=1001:1001 /app/dist ./dist
COPY --chown=app package.json .
USER app
HEALTHCHECK --interval=30s --timeout=3s CMD wget -qO- http://localhost:3000/ || exit 1
EXPOSE 3000
CMD ["node", "dist/main.js"]
