/** How long the functions of `lib` are: a part of bench/request-path.ts. */

import { fileURLToPath } from 'node:url';
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';
import { median, printTable } from './program.ts';

interface FunctionLength {
  readonly place: string;
  readonly lines: number;
}

const LONGEST = 5;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FUNCTIONS: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
]);

function lineAt(file: SourceFile, place: number): number {
  return file.text.slice(0, place).split('\n').length;
}

/** The functions that have a body in braces, nested ones as well. */
function functionsIn(file: SourceFile, name: string): FunctionLength[] {
  const lengths: FunctionLength[] = [];
  const visit = (node: Node): undefined => {
    const text = file.text.slice(node.getStart(file), node.end);
    if (FUNCTIONS.has(node.kind) && text.endsWith('}')) {
      const line = lineAt(file, node.getStart(file));
      lengths.push({ place: `${name}:${line}`, lines: text.split('\n').length });
    }
    node.forEachChild(visit);
  };
  visit(file);
  return lengths;
}

/** Prints the median, and the longest functions. */
export function reportLengths(): void {
  const api = new API();
  const [project] = api.updateSnapshot({ openProject: `${ROOT}tsconfig.json` }).getProjects();
  if (project === undefined) throw new Error('tsconfig.json was not read');
  const names = project.program.getSourceFileNames().filter((name) => name.startsWith(`${ROOT}lib/`));
  const lengths = names.flatMap((name) => {
    const file = project.program.getSourceFile(name);
    return file === undefined ? [] : functionsIn(file, name.slice(ROOT.length));
  });
  api.close();
  const longest = lengths.sort((a, b) => b.lines - a.lines).slice(0, LONGEST);
  const middle = median(lengths.map(({ lines }) => lines));
  console.log(`\n${lengths.length} functions in ${names.length} files of lib, ${middle} lines by the median`);
  printTable(
    ['the longest', 'lines'],
    longest.map(({ place, lines }) => [place, `${lines}`]),
  );
}
