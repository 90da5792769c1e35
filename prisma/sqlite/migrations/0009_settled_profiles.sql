-- AlterTable
ALTER TABLE "Profile" ADD COLUMN "settled" JSONB;
