import { Injectable } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import type { AlertView } from '../alerts/schemas.js';

/** What a console can watch live. */
export type LiveEvent =
  | {
      readonly type: 'job';
      readonly data: {
        readonly id: string;
        readonly state: string;
        readonly stage: string;
        readonly progress: number;
      };
    }
  | { readonly type: 'device'; readonly data: { readonly id: string; readonly state: string } }
  | {
      readonly type: 'rollout';
      readonly data: { readonly id: string; readonly status: string; readonly stage: number };
    }
  /** Raised, cleared or acknowledged. */
  | { readonly type: 'alert'; readonly data: AlertView }
  | {
      readonly type: 'decision';
      readonly data: { readonly rolloutId: string; readonly decision: unknown };
    };

/** Live events from every part of the server to those who watch; nothing is kept for later. */
@Injectable()
export class EventStream {
  private readonly subject = new Subject<LiveEvent>();
  private readonly ended = new Subject<void>();

  emit(event: LiveEvent): void {
    this.subject.next(event);
  }

  watch(): Observable<LiveEvent> {
    return this.subject.asObservable();
  }

  /** Gives one value when the server stops. */
  closed(): Observable<void> {
    return this.ended.asObservable();
  }

  /** Ends every watcher's stream, so that the server can stop. */
  close(): void {
    this.ended.next();
    this.subject.complete();
  }
}
