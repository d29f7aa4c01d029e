//! Colours and letters of the picture, for light and for dark.
//!
//! A page that holds the picture may set the variables itself, on `.life` with something before it.

/// Beside `prefers-color-scheme`, the only thing that light and dark differ in.
const LIGHT: &str = "--paper:#ffffff;--ink:#22272e;--faint:#5f6b78;--line:#dfe4ea;\
--creating:#d9dfe6;--created:#b3c0cf;--running:#2c9c63;--paused:#3f83c8;--stopping:#e2a32b;--restarting:#9a6bd1;\
--stopped:#e8e8ec;--removing:#cdb8a4;--dead:#c4473a;--on-pale:#30363d;--on-strong:#ffffff;--cpu:#d0603a;--memory:#5b6fb5;--port:#b0358b";
const DARK: &str = "--paper:#15191f;--ink:#dde3ea;--faint:#98a4b1;--line:#303843;\
--creating:#37414d;--created:#56677b;--running:#37a96e;--paused:#4a8fd6;--stopping:#d29a2f;--restarting:#a478db;\
--stopped:#2c333d;--removing:#6d5c4c;--dead:#d05a4d;--on-pale:#dde3ea;--on-strong:#0c1014;--cpu:#ee8159;--memory:#8b9ee6;--port:#de6bbb";

pub(in crate::report) fn style() -> String {
    format!(
        ".life{{{LIGHT}}}@media(prefers-color-scheme:dark){{.life{{{DARK}}}}}\
.life text{{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;font-size:13px;fill:var(--ink)}}\
.life .paper{{fill:var(--paper)}}.life .rule{{stroke:var(--line);stroke-width:1}}\
.life text.name,.life text.step{{font-weight:600}}.life text.small{{font-size:10.5px;fill:var(--faint)}}\
.life text.time{{font-size:11px;fill:var(--faint);text-anchor:end;font-variant-numeric:tabular-nums}}\
.life text.remark{{fill:var(--faint);font-style:italic}}\
.life text.state{{font-size:11px;text-anchor:middle;fill:var(--on-strong)}}\
.life text.pale{{fill:var(--on-pale)}}\
.life .lead{{stroke:var(--faint);stroke-width:1;stroke-dasharray:1 3}}.life .tick{{stroke:var(--ink);stroke-width:2}}\
.life .cpu{{fill:var(--cpu)}}.life .memory{{fill:var(--memory)}}.life path.memory{{fill-opacity:.45}}.life .port{{fill:var(--port)}}\
.life .edge{{fill:none;stroke:var(--faint);stroke-width:1.6}}.life .by-itself{{stroke:var(--stopping);stroke-dasharray:6 3}}\
.life .wrong{{stroke:var(--dead);stroke-dasharray:2 3}}.life .head{{fill:var(--faint)}}.life .head.by-itself{{fill:var(--stopping)}}.life .head.wrong{{fill:var(--dead)}}\
.life text.box{{font-size:14px;font-weight:600;text-anchor:middle;fill:var(--on-strong)}}.life text.box.pale{{fill:var(--on-pale)}}\
.life text.right{{text-anchor:end}}.life text.small{{paint-order:stroke;stroke:var(--paper);stroke-width:4px}}\
{}",
        STATES.map(|state| format!(".life .{state}{{fill:var(--{state})}}")).concat()
    )
}

const STATES: [&str; 9] =
    ["creating", "created", "running", "paused", "stopping", "restarting", "stopped", "removing", "dead"];
