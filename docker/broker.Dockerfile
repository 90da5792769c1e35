# The broker in a container of its own. The server starts one by itself; this is for where it is to run elsewhere.
#   docker build -f docker/broker.Dockerfile -t espalier-broker .
FROM node:20-bookworm AS build
WORKDIR /src
COPY . .
RUN npm ci && npm run build && npm prune --omit=dev --workspace apps/broker

FROM node:20-bookworm-slim
ENV NODE_ENV=production ESPALIER_BROKER_HOST=0.0.0.0
WORKDIR /app
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/libs/protocol libs/protocol
COPY --from=build /src/libs/trust libs/trust
COPY --from=build /src/apps/broker apps/broker
USER node
EXPOSE 8883
CMD ["node", "apps/broker/dist/main.js"]
