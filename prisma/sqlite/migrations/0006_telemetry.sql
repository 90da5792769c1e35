-- CreateTable
CREATE TABLE "RollUp" (
    "resolution" TEXT NOT NULL,
    "start" DATETIME NOT NULL,
    "releaseId" TEXT NOT NULL,
    "variantId" TEXT NOT NULL,
    "deviceClass" TEXT NOT NULL,
    "labels" TEXT NOT NULL,
    "body" JSONB NOT NULL,

    PRIMARY KEY ("resolution", "start", "releaseId", "variantId", "deviceClass", "labels")
);

-- CreateTable
CREATE TABLE "AlertRule" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "document" JSONB NOT NULL,
    "createdAt" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "Alert" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "ruleId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "metric" TEXT NOT NULL,
    "releaseId" TEXT,
    "variantId" TEXT,
    "value" REAL NOT NULL,
    "raisedAt" DATETIME NOT NULL,
    "clearedAt" DATETIME,
    "acknowledgedAt" DATETIME,
    "acknowledgedBy" TEXT
);

-- CreateTable
CREATE TABLE "AlertNotice" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "ruleId" TEXT NOT NULL,
    "alertId" TEXT NOT NULL,
    "change" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "dueAt" DATETIME NOT NULL
);

-- AlterTable
ALTER TABLE "TunedDevice" ADD COLUMN "askedBecause" TEXT;

-- CreateIndex
CREATE INDEX "Alert_clearedAt_idx" ON "Alert"("clearedAt");

-- CreateIndex
CREATE INDEX "Alert_raisedAt_idx" ON "Alert"("raisedAt");

-- CreateIndex
CREATE INDEX "AlertNotice_dueAt_idx" ON "AlertNotice"("dueAt");
