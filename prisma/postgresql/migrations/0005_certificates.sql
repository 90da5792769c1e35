-- AlterTable
ALTER TABLE "Device" ADD COLUMN "certificates" JSONB NOT NULL DEFAULT '[]';
ALTER TABLE "Device" ADD COLUMN "revokedAt" TIMESTAMP(3);
