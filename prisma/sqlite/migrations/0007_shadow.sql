-- CreateTable
CREATE TABLE "ShadowPolicy" (
    "modelId" TEXT NOT NULL PRIMARY KEY,
    "selector" TEXT NOT NULL,
    "sampling" JSONB NOT NULL,
    "setAt" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "ShadowSample" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "deviceId" TEXT NOT NULL,
    "modelId" TEXT NOT NULL,
    "releaseId" TEXT NOT NULL,
    "variantId" TEXT NOT NULL,
    "takenAt" DATETIME NOT NULL,
    "receivedAt" DATETIME NOT NULL,
    "bytes" INTEGER NOT NULL,
    "dims" JSONB NOT NULL,
    "encoding" TEXT NOT NULL,
    "input" BLOB,
    "output" JSONB NOT NULL,
    "state" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "judgedAt" DATETIME,
    "inputSha256" TEXT,
    "agreed" INTEGER,
    "distance" REAL,
    "denseOutput" JSONB,
    "failure" TEXT
);

-- CreateTable
CREATE TABLE "ShadowTally" (
    "hour" DATETIME NOT NULL,
    "modelId" TEXT NOT NULL,
    "releaseId" TEXT NOT NULL,
    "variantId" TEXT NOT NULL,
    "deviceId" TEXT NOT NULL,
    "judged" INTEGER NOT NULL DEFAULT 0,
    "classified" INTEGER NOT NULL DEFAULT 0,
    "agreed" INTEGER NOT NULL DEFAULT 0,
    "compared" INTEGER NOT NULL DEFAULT 0,
    "distanceSum" REAL NOT NULL DEFAULT 0,
    "distanceSquares" REAL NOT NULL DEFAULT 0,
    "failed" INTEGER NOT NULL DEFAULT 0,
    "refused" INTEGER NOT NULL DEFAULT 0,
    "tooLarge" INTEGER NOT NULL DEFAULT 0,
    "overBudget" INTEGER NOT NULL DEFAULT 0,
    "dropped" INTEGER NOT NULL DEFAULT 0,

    PRIMARY KEY ("hour", "modelId", "releaseId", "variantId", "deviceId")
);

-- CreateIndex
CREATE INDEX "ShadowSample_state_takenAt_idx" ON "ShadowSample"("state", "takenAt");

-- CreateIndex
CREATE INDEX "ShadowSample_deviceId_takenAt_idx" ON "ShadowSample"("deviceId", "takenAt");

-- CreateIndex
CREATE INDEX "ShadowSample_receivedAt_idx" ON "ShadowSample"("receivedAt");
