import { join } from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import { APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { AccessGuard } from './access/access.guard.js';
import { Accounts } from './access/accounts.js';
import { AccountsController } from './access/accounts.controller.js';
import { Authentication } from './access/authentication.js';
import { DeclaredRoutes } from './access/declared-routes.js';
import { Logins } from './access/logins.js';
import { OpenIdConnect } from './access/oidc.js';
import { SessionsController } from './access/sessions.controller.js';
import { Tokens } from './access/tokens.js';
import { TokensController } from './access/tokens.controller.js';
import { AuditController } from './audit/audit.controller.js';
import { AuditLog } from './audit/audit-log.js';
import { AuditTrail } from './audit/audit-trail.js';
import { CertificateAuthority } from '@espalier/authority';
import { AlertActing } from './alerts/alert-acting.js';
import { AlertRules } from './alerts/alert-rules.js';
import { AlertWatch } from './alerts/alert-watch.js';
import { Alerts } from './alerts/alerts.js';
import { AlertsController } from './alerts/alerts.controller.js';
import { Readings } from './alerts/readings.js';
import { Webhooks } from './alerts/webhooks.js';
import { CONFIGURATION, type Configuration } from './configuration.js';
import { Certificates } from './fleet/certificates.js';
import { Devices } from './fleet/devices.js';
import { Enrolment } from './fleet/enrolment.js';
import { FleetController } from './fleet/fleet.controller.js';
import { Revocations } from './fleet/revocations.js';
import { EventStream } from './http/event-stream.js';
import { FleetMetrics } from './http/fleet-metrics.js';
import { LiveController } from './http/live.controller.js';
import { Metrics } from './http/metrics.js';
import { BlobStore } from './models/blob-store.js';
import { Jobs } from './models/jobs.js';
import { Library } from './models/library.js';
import { ModelBounds } from './models/model-bounds.js';
import { Intake } from './models/intake.js';
import { Retention } from './models/retention.js';
import { ModelsController } from './models/models.controller.js';
import { BrokerAddress } from './mqtt/broker-address.js';
import { BrokerFiles } from './mqtt/broker-files.js';
import { DeviceChannel } from './mqtt/device-channel.js';
import { DeviceMessages } from './mqtt/device-messages.js';
import { Displacement } from './mqtt/displacement.js';
import { MqttEdge } from './mqtt/mqtt-edge.js';
import { Database } from './persistence/database.js';
import { Housekeeping } from './persistence/housekeeping.js';
import { Keyring } from './release/keyring.js';
import { Releases } from './release/releases.js';
import { ReleasesController } from './release/releases.controller.js';
import { DeviceHistory } from './rollout/device-history.js';
import { DeviceHistoryController } from './rollout/device-history.controller.js';
import { DeliveryService } from './rollout/delivery.js';
import { Drafts } from './rollout/drafts.js';
import { LateJoiners } from './rollout/late-joiners.js';
import { Members } from './rollout/members.js';
import { Offers } from './rollout/offers.js';
import { Previews } from './rollout/previews.js';
import { RolloutEvidence } from './rollout/rollout-evidence.js';
import { RolloutStore } from './rollout/rollout-store.js';
import { RolloutTicker } from './rollout/rollout-ticker.js';
import { RolloutViews } from './rollout/rollout-views.js';
import { Rollouts } from './rollout/rollouts.js';
import { RolloutsController } from './rollout/rollouts.controller.js';
import { TargetSender } from './rollout/target-sender.js';
import { Agreement } from './shadow/agreement.js';
import { Judging } from './shadow/judging.js';
import { RecentAgreement } from './shadow/recent-agreement.js';
import { ReleasedModels } from './shadow/released-models.js';
import { ShadowMetrics } from './shadow/shadow-metrics.js';
import { ShadowOrders } from './shadow/shadow-orders.js';
import { ShadowPolicies } from './shadow/shadow-policies.js';
import { ShadowSamples } from './shadow/shadow-samples.js';
import { ShadowController } from './shadow/shadow.controller.js';
import { DeviceTags } from './telemetry/device-tags.js';
import { DriftReadings } from './telemetry/drift-readings.js';
import { DriftStreams } from './telemetry/drift-streams.js';
import { References } from './telemetry/references.js';
import { RestartCounts } from './telemetry/restart-counts.js';
import { RollUps } from './telemetry/roll-ups.js';
import { DeviceSeries } from './telemetry/device-series.js';
import { Series } from './telemetry/series.js';
import { Telemetry } from './telemetry/telemetry.js';
import { TelemetryController } from './telemetry/telemetry.controller.js';
import { GroupBudgets } from './tuning/group-budgets.js';
import { Plans } from './tuning/plans.js';
import { PlansController } from './tuning/plans.controller.js';
import { Policies } from './tuning/policies.js';
import { Proposals } from './tuning/proposals.js';
import { Retuning } from './tuning/retuning.js';
import { Subjects } from './tuning/subjects.js';
import { TuningController } from './tuning/tuning.controller.js';

/** What exists before the server: it is opened first, and closed last. */
export interface Foundations {
  readonly configuration: Configuration;
  readonly database: Database;
  readonly keyring: Keyring;
  readonly authority: CertificateAuthority;
}

/** The server, put together. */
@Module({})
export class AppModule {
  static on({ configuration, database, keyring, authority }: Foundations): DynamicModule {
    return {
      module: AppModule,
      imports: [ScheduleModule.forRoot(), DiscoveryModule],
      controllers: [
        AlertsController,
        LiveController,
        AccountsController,
        AuditController,
        SessionsController,
        TokensController,
        DeviceHistoryController,
        FleetController,
        ModelsController,
        PlansController,
        ReleasesController,
        RolloutsController,
        ShadowController,
        TelemetryController,
        TuningController,
      ],
      providers: [
        { provide: CONFIGURATION, useValue: configuration },
        { provide: Database, useValue: database },
        { provide: Keyring, useValue: keyring },
        { provide: CertificateAuthority, useValue: authority },
        {
          provide: BlobStore,
          useFactory: () => BlobStore.open(join(configuration.dataDir, 'blobs')),
        },
        { provide: APP_GUARD, useClass: AccessGuard },
        Accounts,
        Agreement,
        AuditLog,
        AuditTrail,
        Authentication,
        AlertActing,
        AlertRules,
        AlertWatch,
        Alerts,
        BrokerAddress,
        BrokerFiles,
        Certificates,
        DeclaredRoutes,
        DeliveryService,
        DeviceChannel,
        DeviceHistory,
        DeviceMessages,
        DeviceTags,
        Devices,
        Displacement,
        Drafts,
        DriftReadings,
        DriftStreams,
        Enrolment,
        EventStream,
        FleetMetrics,
        GroupBudgets,
        Housekeeping,
        Intake,
        Jobs,
        Judging,
        LateJoiners,
        Library,
        Logins,
        Members,
        Metrics,
        ModelBounds,
        MqttEdge,
        Offers,
        OpenIdConnect,
        Plans,
        Policies,
        Previews,
        Proposals,
        Readings,
        RecentAgreement,
        References,
        ReleasedModels,
        Releases,
        Retention,
        Retuning,
        Revocations,
        RestartCounts,
        RollUps,
        RolloutEvidence,
        RolloutStore,
        RolloutTicker,
        RolloutViews,
        Rollouts,
        DeviceSeries,
        Series,
        ShadowMetrics,
        ShadowOrders,
        ShadowPolicies,
        ShadowSamples,
        Subjects,
        TargetSender,
        Telemetry,
        Tokens,
        Webhooks,
      ],
    };
  }
}
