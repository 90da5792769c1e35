export { frontPage } from './front-page.js';
export { reportPage } from './report-page.js';
