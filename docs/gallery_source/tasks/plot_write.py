"""
Text written letter by letter
=============================

A language model reads Python's own documentation, writes more of it, and shows where it is
surprised.
"""

from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import numpy as np

from rnnkit import GRULanguageModel

# %%
# The topics of ``help()``, as one text. The last twentieth is held out.

text = "\n".join(topics[name] for name in sorted(topics))[:100_000]
n_train = 19 * len(text) // 20
model = GRULanguageModel(128, max_iter=8, random_state=0).fit(text[:n_train])
print(f"{model.bits_per_character(text[n_train:]):.2f} bits per character that was held out")

# %%
# It writes at any temperature: the lower, the safer and the duller.

for temperature in (0.4, 0.8, 1.2):
    written = model.sample(240, prompt="The ", temperature=temperature, random_state=0)
    print(f"--- {temperature}\nThe {written}\n")

# %%
# Surprise, the negative logarithm of a letter's probability, is highest where a word begins and
# falls as the word can be guessed.

passage = text[n_train : n_train + 400]
stream, surprise = model.stream(), []
for letter in passage:
    surprise.append(-stream.log_probabilities[model.vocabulary_.get(letter, 0)] / np.log(2))
    stream.step(letter)

width = 58
figure, axes = plt.subplots(2, 1, figsize=(9, 6), layout="constrained", height_ratios=[3, 2])
colours = plt.get_cmap("YlOrRd")
for i, (letter, bits) in enumerate(zip(passage, surprise)):
    place = (i % width, -(i // width))
    box = {"boxstyle": "square,pad=0.18", "color": colours(min(bits / 10, 1.0))}
    shown = {"\n": "⏎", " ": "·"}.get(letter, letter)
    axes[0].text(*place, shown, family="monospace", fontsize=9, bbox=box, ha="center")
axes[0].set(xlim=(-1, width), ylim=(-(len(passage) // width) - 0.5, 1), title="bits a letter costs")
axes[0].axis("off")
temperatures = np.linspace(0.2, 1.6, 8)
for top_p, style in ((None, "o-"), (0.9, "s--")):
    likelihoods = [
        model.score(model.sample(400, temperature=t, top_p=top_p, random_state=0))
        for t in temperatures
    ]
    label = "all letters" if top_p is None else f"top_p={top_p}"
    axes[1].plot(temperatures, np.exp(-np.array(likelihoods)), style, label=label)
axes[1].axhline(model.perplexity(text[n_train:]), color="0.6", label="held-out text")
axes[1].set(xlabel="temperature", ylabel="perplexity of what is written", yscale="log")
axes[1].set_yticks([2, 5, 10, 20], ["2", "5", "10", "20"])
axes[1].minorticks_off()
axes[1].legend()
plt.show()
