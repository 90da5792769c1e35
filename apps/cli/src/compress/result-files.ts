import type { CompressionReport, ParetoDocument } from '@espalier/compression';
import type { ResultFiles } from './result-folder.js';

interface Made {
  readonly model: Uint8Array;
  readonly report: CompressionReport;
}

/** The files of one variant. @param name what the model is called */
export async function variantFiles({ model, report }: Made, name: string): Promise<ResultFiles> {
  const { reportPage } = await import('./page/index.js');
  return new Map<string, Uint8Array | string>([
    ['model.onnx', model],
    ['report.json', json(report)],
    ['report.html', reportPage(report, name)],
  ]);
}

/** The files of a front: a folder for each candidate, and the front as a document and as a page. */
export async function frontFiles(
  candidates: readonly (Made & { readonly id: string })[],
  pareto: ParetoDocument,
  name: string,
): Promise<ResultFiles> {
  const { frontPage, reportPage } = await import('./page/index.js');
  const files = new Map<string, Uint8Array | string>();
  for (const { id, model, report } of candidates) {
    files.set(`${id}/model.onnx`, model);
    files.set(`${id}/report.json`, json(report));
    files.set(`${id}/report.html`, reportPage(report, `${name}, ${id}`, '../report.html'));
  }
  const reports = candidates.map(({ report }) => report);
  files.set('report.html', frontPage(pareto, reports, name));
  return files.set('pareto.json', json(pareto));
}

const json = (document: object): string => `${JSON.stringify(document, null, 2)}\n`;
