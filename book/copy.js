'use strict';
// At a prompt: what was typed can be copied, prompts and answers stay behind.
for (const code of document.querySelectorAll('pre > code.language-console')) {
    const lines = code.textContent.replace(/\n$/, '').split('\n');
    code.textContent = '';
    for (const line of lines) {
        const typed = line.startsWith('$ ');
        const part = (kind, text) => {
            const span = document.createElement('span');
            span.className = kind;
            span.textContent = text;
            code.append(span);
        };
        if (typed) {
            part('prompt', '$ ');
            part('typed', line.slice(2) + '\n');
        } else {
            part('answer', line + '\n');
        }
    }
}
// The button copies what is shown, so prompts and answers are hidden for that moment.
document.addEventListener('click', event => {
    const button = event.target.closest && event.target.closest('.clip-button');
    const block = button && button.closest('pre');
    if (!block || !block.querySelector('.prompt')) return;
    block.classList.add('copying');
    setTimeout(() => block.classList.remove('copying'), 0);
}, true);
