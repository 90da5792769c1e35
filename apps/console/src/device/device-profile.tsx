import { NativeSelect } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { queries } from '../api/queries';
import type { Profile } from '../api/types';
import { Chart, legend, tooltip, valueAxis, type Drawing } from '../parts/chart';
import { bytes, instant } from '../parts/format';
import { Facts, Part, Tile, Tiles } from '../parts/page';
import { Answer, Empty } from '../parts/states';

/** What the device measured of itself: now, and at earlier times. */
export function DeviceProfile({ id }: { id: string }) {
  const profiles = useQuery(queries.profiles(id));
  const [chosen, setChosen] = useState(0);
  return (
    <Part
      title="Profile"
      note="What the device measured of itself. Latency is predicted from its own kernel times."
      actions={
        profiles.data && profiles.data.profiles.length > 1 ? (
          <NativeSelect
            aria-label="Which profile"
            value={chosen}
            onChange={({ currentTarget }) => setChosen(Number(currentTarget.value))}
            data={profiles.data.profiles.map(({ receivedAt }, index) => ({
              value: String(index),
              label: `${instant(receivedAt)}${index === 0 ? ' (newest)' : ''}`,
            }))}
          />
        ) : null
      }
    >
      <Answer query={profiles} what="the profile">
        {({ profiles: all }) => {
          const profile = all[chosen] ?? all[0];
          return profile ? (
            <Measured profile={profile.profile} />
          ) : (
            <Empty title="It has not measured itself yet">
              This takes a minute after it has joined. If it stays so, look at the agent’s log.
            </Empty>
          );
        }}
      </Answer>
    </Part>
  );
}

function Measured({ profile }: { profile: Profile['profile'] }) {
  const { cpu, memory, storage, runtime, kernels, emulatedSlowdown, disturbed } = profile;
  return (
    <div className="column">
      <Tiles>
        <Tile
          name="Cores"
          note={`${cpu.arch}${cpu.frequencyMHz ? `, ${(cpu.frequencyMHz / 1000).toFixed(1)} GHz` : ''}`}
        >
          {cpu.cores}
        </Tile>
        <Tile
          name="Memory for a model"
          note={`limited by the ${memory.limitedBy}; ${bytes(memory.freeBytes)} free`}
        >
          {bytes(memory.limitBytes)}
        </Tile>
        <Tile
          name="Storage"
          note={`limited by the ${storage.limitedBy}; ${bytes(storage.freeBytes)} free`}
        >
          {bytes(storage.limitBytes)}
        </Tile>
        <Tile
          name="Kernels timed"
          note={`in ${profile.measuringSeconds.toFixed(0)} s, each at its precision and threads`}
        >
          {kernels.length}
        </Tile>
      </Tiles>
      <div className="two">
        <Facts
          facts={[
            ['Processor', cpu.model],
            ['Instruction sets', cpu.isa.join(', ') || '–'],
            ['Last-level cache', cpu.cacheBytes ? bytes(cpu.cacheBytes) : '–'],
            ['Runtime', `${runtime.name} ${runtime.version}`],
            ['Runtime without a model', bytes(memory.runtimeBytes)],
            ['Measured', instant(profile.measuredAt)],
            ...(emulatedSlowdown
              ? [['Emulated', `a processor ${emulatedSlowdown} times slower`] as const]
              : []),
            ...(disturbed
              ? [
                  [
                    'Disturbed while measuring',
                    `${(100 * disturbed).toFixed(0)} % of the kernels`,
                  ] as const,
                ]
              : []),
          ]}
        />
        <Kernels kernels={kernels} />
      </div>
    </div>
  );
}

/** Every kernel's time, int8 beside fp32, the quickest first. */
function Kernels({ kernels }: { kernels: Profile['profile']['kernels'] }) {
  const drawing = useMemo((): Drawing => {
    const threads = Math.min(...kernels.map((kernel) => kernel.threads));
    const timeOf = (id: string, precision: string): number | null =>
      kernels.find(
        (kernel) =>
          kernel.id === id && kernel.precision === precision && kernel.threads === threads,
      )?.medianMs ?? null;
    const shown = (id: string): number => timeOf(id, 'fp32') ?? timeOf(id, 'int8') ?? 0;
    const ids = [...new Set(kernels.map(({ id }) => id))].sort((a, b) => shown(a) - shown(b));
    return (ink) => ({
      grid: { left: 60, right: 12, top: 30, bottom: 30 },
      legend: legend(ink),
      tooltip: { ...tooltip(ink), trigger: 'axis' },
      xAxis: { type: 'category', data: ids, axisLabel: { show: false }, axisTick: { show: false } },
      yAxis: {
        ...valueAxis(ink, `ms, ${threads === 1 ? 'one thread' : `${threads} threads`}`),
        type: 'log',
      },
      series: (['fp32', 'int8'] as const).map((precision, at) => ({
        ...{ type: 'scatter', name: precision, symbolSize: 8 },
        itemStyle: { color: at === 0 ? ink.second : ink.first },
        data: ids.map((id) => timeOf(id, precision)),
      })),
    });
  }, [kernels]);
  return (
    <section aria-label="Time of each kernel">
      <h3 className="chart-title">Time of each kernel, the quickest first</h3>
      <Chart label={`Times of ${kernels.length} kernels`} drawing={drawing} height={240} />
    </section>
  );
}
