# The lock server in a container. Who may connect is a matter of `--allow`: by default nobody from outside of it.
FROM node:22-slim AS build
WORKDIR /holdfast
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci --no-audit --no-fund
COPY commonjs commonjs
COPY lib lib
COPY test test
COPY bench bench
COPY examples examples
RUN npm run build

FROM node:22-slim
ENV NODE_ENV=production
WORKDIR /holdfast
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund && npm cache clean --force
COPY bin bin
COPY config config
COPY --from=build /holdfast/dist/lib dist/lib
# What outlives the container; `--state ''` does without.
RUN mkdir -m 0700 /var/lib/holdfast && chown node:node /var/lib/holdfast
VOLUME /var/lib/holdfast
USER node
EXPOSE 20934 20935
# Whether the process answers: one that stands by or drains is in health, too. 127.0.0.1 must be in "allowed".
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:20935/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/server.js", "--state", "/var/lib/holdfast"]
