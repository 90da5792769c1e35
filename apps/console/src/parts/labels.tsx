/** Labels as small tags; none is said too. */
export function Labels({ labels }: { labels: Readonly<Record<string, string>> }) {
  const entries = Object.entries(labels);
  if (entries.length === 0) return <span className="soft">no labels</span>;
  return (
    <span className="tags">
      {entries.map(([key, value]) => (
        <span className="tag" key={key}>
          {key}={value}
        </span>
      ))}
    </span>
  );
}
