-- CreateTable
CREATE TABLE "RollUp" (
    "resolution" TEXT NOT NULL,
    "start" TIMESTAMP(3) NOT NULL,
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
    "createdAt" TIMESTAMP(3) NOT NULL
);

-- CreateTable
CREATE TABLE "Alert" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "ruleId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "metric" TEXT NOT NULL,
    "releaseId" TEXT,
    "variantId" TEXT,
    "value" DOUBLE PRECISION NOT NULL,
    "raisedAt" TIMESTAMP(3) NOT NULL,
    "clearedAt" TIMESTAMP(3),
    "acknowledgedAt" TIMESTAMP(3),
    "acknowledgedBy" TEXT
);

-- CreateTable
CREATE TABLE "AlertNotice" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "ruleId" TEXT NOT NULL,
    "alertId" TEXT NOT NULL,
    "change" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "dueAt" TIMESTAMP(3) NOT NULL
);

-- AlterTable
ALTER TABLE "TunedDevice" ADD COLUMN "askedBecause" TEXT;

-- CreateIndex
CREATE INDEX "Alert_clearedAt_idx" ON "Alert"("clearedAt");

-- CreateIndex
CREATE INDEX "Alert_raisedAt_idx" ON "Alert"("raisedAt");

-- CreateIndex
CREATE INDEX "AlertNotice_dueAt_idx" ON "AlertNotice"("dueAt");
