-- CreateTable
CREATE TABLE "Counter" (
    "name" TEXT NOT NULL PRIMARY KEY,
    "value" INTEGER NOT NULL
);

-- CreateTable
CREATE TABLE "ClaimToken" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "secretHash" TEXT NOT NULL,
    "name" TEXT,
    "labels" JSONB NOT NULL,
    "expiresAt" TIMESTAMP(3) NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "usedAt" TIMESTAMP(3),
    "deviceId" TEXT
);

-- CreateTable
CREATE TABLE "Device" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "labels" JSONB NOT NULL,
    "publicKey" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "budget" JSONB NOT NULL,
    "agentVersion" TEXT,
    "bootId" TEXT,
    "generation" INTEGER NOT NULL DEFAULT 0,
    "offered" INTEGER,
    "running" JSONB,
    "failure" JSONB,
    "profileSha256" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "seenAt" TIMESTAMP(3)
);

-- CreateTable
CREATE TABLE "Profile" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "deviceId" TEXT NOT NULL,
    "sha256" TEXT NOT NULL,
    "document" JSONB NOT NULL,
    "receivedAt" TIMESTAMP(3) NOT NULL,
    CONSTRAINT "Profile_deviceId_fkey" FOREIGN KEY ("deviceId") REFERENCES "Device" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Model" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "sha256" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "calibrationSha256" TEXT NOT NULL,
    "evaluationSha256" TEXT,
    "card" JSONB,
    "inspection" JSONB NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL
);

-- CreateTable
CREATE TABLE "Job" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "kind" TEXT NOT NULL,
    "modelId" TEXT NOT NULL,
    "request" JSONB NOT NULL,
    "state" TEXT NOT NULL,
    "stage" TEXT NOT NULL,
    "progress" DOUBLE PRECISION NOT NULL,
    "error" JSONB,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "finishedAt" TIMESTAMP(3),
    CONSTRAINT "Job_modelId_fkey" FOREIGN KEY ("modelId") REFERENCES "Model" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Candidate" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "modelId" TEXT NOT NULL,
    "jobId" TEXT NOT NULL,
    "report" JSONB NOT NULL,
    "costs" JSONB NOT NULL,
    "modelSha256" TEXT NOT NULL,
    "modelBytes" BIGINT NOT NULL,
    "artifactSha256" TEXT NOT NULL,
    "artifactBytes" BIGINT NOT NULL,
    "encoding" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,
    CONSTRAINT "Candidate_modelId_fkey" FOREIGN KEY ("modelId") REFERENCES "Model" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Plan" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "modelId" TEXT NOT NULL,
    "selector" TEXT NOT NULL,
    "document" JSONB NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL
);

-- CreateTable
CREATE TABLE "Release" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "modelId" TEXT NOT NULL,
    "planId" TEXT NOT NULL,
    "modelName" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "state" TEXT NOT NULL,
    "document" JSONB NOT NULL,
    "signed" JSONB,
    "manifests" JSONB NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL
);

-- CreateTable
CREATE TABLE "Target" (
    "deviceId" TEXT NOT NULL,
    "generation" INTEGER NOT NULL,
    "rolloutId" TEXT,
    "attempt" INTEGER NOT NULL,
    "purpose" TEXT NOT NULL,
    "releaseId" TEXT NOT NULL,
    "variantId" TEXT NOT NULL,
    "modelSha256" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "sentBytes" BIGINT NOT NULL DEFAULT 0,

    PRIMARY KEY ("deviceId", "generation"),
    CONSTRAINT "Target_deviceId_fkey" FOREIGN KEY ("deviceId") REFERENCES "Device" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Rollout" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "releaseId" TEXT NOT NULL,
    "planId" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "head" JSONB NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,
    "updatedAt" TIMESTAMP(3) NOT NULL
);

-- CreateTable
CREATE TABLE "RolloutDevice" (
    "rolloutId" TEXT NOT NULL,
    "deviceId" TEXT NOT NULL,
    "position" INTEGER NOT NULL,
    "status" TEXT NOT NULL,
    "stage" INTEGER NOT NULL,
    "variantId" TEXT NOT NULL,
    "record" JSONB NOT NULL,

    PRIMARY KEY ("rolloutId", "deviceId")
);

-- CreateTable
CREATE TABLE "RolloutEvent" (
    "rolloutId" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "at" TIMESTAMP(3) NOT NULL,
    "event" JSONB NOT NULL,

    PRIMARY KEY ("rolloutId", "seq")
);

-- CreateTable
CREATE TABLE "RolloutDecision" (
    "rolloutId" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "at" TIMESTAMP(3) NOT NULL,
    "decision" JSONB NOT NULL,

    PRIMARY KEY ("rolloutId", "seq")
);

-- CreateTable
CREATE TABLE "Inbox" (
    "deviceId" TEXT NOT NULL,
    "messageId" TEXT NOT NULL,
    "receivedAt" TIMESTAMP(3) NOT NULL,

    PRIMARY KEY ("deviceId", "messageId")
);

-- CreateTable
CREATE TABLE "TelemetryWindow" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "deviceId" TEXT NOT NULL,
    "releaseId" TEXT NOT NULL,
    "variantId" TEXT NOT NULL,
    "from" TIMESTAMP(3) NOT NULL,
    "to" TIMESTAMP(3) NOT NULL,
    "body" JSONB NOT NULL,
    "receivedAt" TIMESTAMP(3) NOT NULL
);

-- CreateIndex
CREATE INDEX "Device_state_idx" ON "Device"("state");

-- CreateIndex
CREATE INDEX "Profile_deviceId_id_idx" ON "Profile"("deviceId", "id");

-- CreateIndex
CREATE INDEX "Job_state_idx" ON "Job"("state");

-- CreateIndex
CREATE UNIQUE INDEX "Candidate_modelId_modelSha256_artifactSha256_key" ON "Candidate"("modelId", "modelSha256", "artifactSha256");

-- CreateIndex
CREATE UNIQUE INDEX "Release_modelName_version_key" ON "Release"("modelName", "version");

-- CreateIndex
CREATE INDEX "Target_rolloutId_idx" ON "Target"("rolloutId");

-- CreateIndex
CREATE INDEX "Rollout_status_idx" ON "Rollout"("status");

-- CreateIndex
CREATE INDEX "RolloutDevice_deviceId_idx" ON "RolloutDevice"("deviceId");

-- CreateIndex
CREATE INDEX "Inbox_receivedAt_idx" ON "Inbox"("receivedAt");

-- CreateIndex
CREATE INDEX "TelemetryWindow_deviceId_id_idx" ON "TelemetryWindow"("deviceId", "id");

-- CreateIndex
CREATE INDEX "TelemetryWindow_receivedAt_idx" ON "TelemetryWindow"("receivedAt");

