import { compressionReportSchema, type CompressionReport } from '@espalier/compression';
import { frontPage, reportPage } from './index.js';

const hash = 'ab'.repeat(32);

/** A report as `compress` writes one. */
function report(more: Partial<CompressionReport> = {}): CompressionReport {
  const model = {
    sha256: hash,
    bytes: 40_000,
    params: 9_000,
    macs: 1_000_000,
    peakRamBytes: 90_000,
  };
  return compressionReportSchema.parse({
    schemaVersion: 1,
    model,
    variant: {
      ...{ ...model, macs: 700_000, precision: 'int8', sparsity: 0 },
      numerics: { activation: 'uint8', weight: 'int8', isaSafe: true, measuredOn: 'x64' },
      groups: { '/stem/Conv_output_0': { of: 4, kept: [0, 2, 3] } },
      ...{ removedBlocks: [], islands: ['/head/Gemm'] },
    },
    artifact: { sha256: hash, bytes: 30_000, encoding: 'brotli' },
    quality: {
      ...{ metric: 'top-1 accuracy', higherIsBetter: true, before: 0.9, after: 0.88, samples: 400 },
      interval: [-0.031, -0.009],
      byClass: [
        { label: 'cat', samples: 200, before: 0.92, after: 0.91 },
        { label: '<b>dog & co</b>', samples: 200, before: 0.88, after: 0.85 },
      ],
    },
    fidelity: { meanKl: 0.0123, agreement: 0.96, samples: 400 },
    latencyMs: null,
    goals: [{ name: 'macs-ratio', target: 0.65, achieved: 0.7, met: false }],
    obstacles: ['4 of 14 channels cannot be cut: "y" is an output of the model (4).'],
    stages: [{ name: 'refit', loss: 0.02, accuracy: 0.89, kept: false }],
    sensitivity: [
      {
        group: '/stem/Conv_output_0',
        points: [
          { kept: 4, loss: 0 },
          { kept: 3, loss: 0.002 },
          { kept: 2, loss: 0.5 },
        ],
      },
    ],
    seconds: { total: 12.3, byStage: { statistics: 4, refit: 8.25 } },
    ...more,
  });
}

/** What the page says, without its marks. */
const textOf = (page: string): string =>
  page
    .replace(/<style>[^]*?<\/style>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

describe('report.html', () => {
  it('says accuracy with its interval, every goal, undone stages, islands and how it computes', () => {
    const text = textOf(reportPage(report(), 'net.onnx'));
    expect(text).toContain('90.00 % 88.00 % -2.00 points; paired 95 % interval -3.10 to -0.90');
    expect(text).toContain('at most 0.65 0.7 not met');
    expect(text).toMatch(/refit 0\.02 89\.00 % 8\.3 s undone/);
    expect(text).toContain('left in floating point, by measurement /head/Gemm');
    expect(text).toMatch(/saturation on x86 without VNNI Safe/);
    expect(text).toContain('3 of 4');
    expect(text).toContain('4 of 14 channels cannot be cut');
  });

  it('needs no network and no script, and shows names as they are', () => {
    const page = reportPage(report(), '<i>net</i>.onnx');
    expect(page).not.toMatch(/<script|<i>net|<b>dog|@import/);
    const addresses = page.match(/(?:\b(?:src|href)=|url\()["'(]?[^"')\s>]*/g) ?? [];
    expect(addresses.filter((address) => !/href="data:,|url\(#/.test(address))).toEqual([]);
    expect(page).toContain('&lt;i&gt;net&lt;/i&gt;.onnx');
  });

  it('does without labels, cuts and goals', () => {
    const bare = report({
      ...{ quality: null, goals: [], sensitivity: [], stages: [] },
      fidelity: { meanSquaredError: 0.004, agreement: 1, samples: 64 },
    });
    const text = textOf(reportPage(bare, 'autoencoder.onnx'));
    expect(text).toContain('No goal was set.');
    expect(text).toContain('mean squared difference of the output 0.004');
  });
});

describe('the front in a report', () => {
  it('shows what the search predicted, what it built and what it chose, and says which is which', () => {
    const front = {
      measure: 'divergence and changed decisions' as const,
      points: [
        { kind: 'predicted' as const, macs: 1_000_000, loss: 0 },
        { kind: 'predicted' as const, macs: 650_000, loss: 0.02 },
        { kind: 'tried' as const, macs: 720_000, loss: 0.03 },
        { kind: 'variant' as const, macs: 700_000, loss: 0.015 },
      ],
    };
    const page = reportPage(report({ front }), 'net.onnx');
    expect(page).toContain('this variant: 70.0 % of the work, change 0.0150; 2 predictions');
    const text = textOf(page);
    for (const name of ['predicted, not built', 'built and measured', 'this variant'])
      expect(text).toContain(name);
    expect(text).toContain('plus the share of changed decisions');
  });

  it('is left out where nothing was searched', () => {
    expect(reportPage(report(), 'net.onnx')).not.toContain('Pareto front');
  });

  it('stands below the warnings about the samples', () => {
    const warnings = ['The original model decides for class 3 on all 64 samples.'];
    expect(textOf(reportPage(report({ warnings }), 'net.onnx'))).toContain(warnings[0]!);
  });
});

describe('report.html of a front', () => {
  it('lists every candidate with its figures and the way to its own report', () => {
    const candidate = {
      ...{ sha256: hash, macs: 700_000, bytes: 40_000, artifactBytes: 30_000 },
      ...{ peakRamBytes: 90_000, loss: 0.02, accuracy: 0.89 },
    };
    const page = frontPage(
      {
        schemaVersion: 1,
        model: hash,
        candidates: [
          { ...candidate, id: 'fp32-100', precision: 'fp32', onFront: true },
          { ...candidate, id: 'int8-070', precision: 'int8', onFront: false },
        ],
        seconds: 61,
      },
      [report(), report()],
      'net.onnx',
    );
    expect(page).toContain('href="int8-070/report.html"');
    expect(textOf(page)).toContain('2 candidates from one calibration in 1 min 1 s');
    expect(textOf(page)).toMatch(
      /fp32-100 fp32 700,000 .* 88\.00 % -2\.00 \(-3\.10 to -0\.90\) yes/,
    );
  });
});
