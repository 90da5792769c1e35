# The server, with its broker and the command line. Build from the root of the repository:
#   docker build -f docker/server.Dockerfile -t espalier-server .
FROM node:20-bookworm AS build
WORKDIR /src
COPY . .
RUN npm ci && npm run build && npm prune --omit=dev \
  && find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 ! -name linux -exec rm -rf {} + \
  && rm -rf apps/agent apps/simulator bench docs

FROM node:20-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 BROKER_HOST=0.0.0.0 DATA_DIR=/data
COPY --from=build /src /app
RUN mkdir /data && chown node:node /data \
  && ln -s /app/apps/server/bin/espalier-server /app/apps/cli/bin/espalier /usr/local/bin/
USER node
WORKDIR /data
VOLUME /data
EXPOSE 8080 8883
HEALTHCHECK --start-period=30s CMD ["node", "/app/docker/health.mjs"]
CMD ["espalier-server"]
