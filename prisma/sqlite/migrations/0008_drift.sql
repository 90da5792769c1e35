-- CreateTable
CREATE TABLE "DriftStream" (
    "deviceId" TEXT NOT NULL PRIMARY KEY,
    "releaseId" TEXT NOT NULL,
    "variantId" TEXT NOT NULL,
    "windowId" INTEGER NOT NULL,
    "evidenceDays" REAL NOT NULL,
    "family" TEXT,
    "at" DATETIME NOT NULL,
    "state" TEXT NOT NULL
);

-- AlterTable
ALTER TABLE "Alert" ADD COLUMN "restsOn" TEXT;

-- CreateIndex
CREATE INDEX "DriftStream_at_idx" ON "DriftStream"("at");
