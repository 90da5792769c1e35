-- CreateTable
CREATE TABLE "GroupBudget" (
    "selector" TEXT NOT NULL PRIMARY KEY,
    "budget" JSONB NOT NULL,
    "updatedAt" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "TuningPolicy" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "releaseId" TEXT NOT NULL,
    "selector" TEXT NOT NULL,
    "push" BOOLEAN NOT NULL,
    "rollout" JSONB NOT NULL,
    "createdAt" DATETIME NOT NULL
);

-- CreateTable
CREATE TABLE "TunedDevice" (
    "policyId" TEXT NOT NULL,
    "deviceId" TEXT NOT NULL,
    "candidateId" TEXT,
    "budgetSha256" TEXT NOT NULL,
    "profileSha256" TEXT NOT NULL,
    "predicted" JSONB,
    "deviceClass" TEXT NOT NULL,
    "ratio" REAL,
    "plannedAt" DATETIME NOT NULL,

    PRIMARY KEY ("policyId", "deviceId")
);

-- CreateTable
CREATE TABLE "Proposal" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "policyId" TEXT NOT NULL,
    "planId" TEXT NOT NULL,
    "causes" JSONB NOT NULL,
    "state" TEXT NOT NULL,
    "note" TEXT,
    "rolloutId" TEXT,
    "createdAt" DATETIME NOT NULL,
    "decidedAt" DATETIME
);

-- CreateIndex
CREATE INDEX "Proposal_policyId_state_idx" ON "Proposal"("policyId", "state");
