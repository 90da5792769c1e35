-- AlterTable
ALTER TABLE "Device" ADD COLUMN "faults" JSONB NOT NULL DEFAULT '[]';
ALTER TABLE "Device" ADD COLUMN "quarantinedAt" TIMESTAMP(3);
