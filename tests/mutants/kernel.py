"""Mutants of the compiled core and of what hands it weights: wrong equations and gradients.

Each is planted in turn; a suite that does not notice one does not hold that equation.
"""

from mutants.mutant import Mutant

LSTM = "rnnkit/_core/src/lstm.inl"
GRU = "rnnkit/_core/src/gru.inl"
GATES = "rnnkit/_core/src/gates.inl"
PASSES = "rnnkit/_core/src/passes.inl"
GRADIENTS = "rnnkit/_core/src/gradients.inl"
LAYER = "rnnkit/_core/recurrent.pyx"
NETWORK = "rnnkit/network/recurrent.py"
WEIGHTS = "rnnkit/functional/weights.py"
CORE = ("tests/backends/test_cpu.py",)
CRF, CTC, BEAM = (f"rnnkit/_core/src/{name}.inl" for name in ("crf", "ctc", "beam"))
LABELS = ("tests/_core/test_labels.py",)
TORCH = ("tests/functional/test_torch.py", "tests/functional/test_recurrent.py")
LOADS = "vec i = v_load(gates), f = v_load(gates + VL), o = v_load(gates + 3 * VL), g, c, c_out;"
CANDIDATE = "g = FN(candidate)(layer, plain, v_load(gates + 2 * VL));"
GRU_LOADS = "reset = v_load(gates + VL), z = v_load(gates + 2 * VL);\n    const vec hn"

MUTANTS = (
    Mutant("lstm gates i and f swapped", LSTM, CORE,
           (LOADS, "vec i = v_load(gates + VL), f = v_load(gates), o = v_load(gates + 3 * VL), "
                   "g, c, c_out;")),
    Mutant("lstm gates g and o swapped", LSTM, CORE,
           (LOADS, "vec i = v_load(gates), f = v_load(gates + VL), o = v_load(gates + 2 * VL), "
                   "g, c, c_out;"), (CANDIDATE, CANDIDATE.replace("2 * VL", "3 * VL"))),
    Mutant("lstm gates f and o swapped", LSTM, CORE,
           (LOADS, "vec i = v_load(gates), f = v_load(gates + 3 * VL), o = v_load(gates + VL), "
                   "g, c, c_out;")),
    Mutant("lstm peepholes ignored", LSTM, CORE,
           ("    if (peephole) {\n        peephole += panel * 3 * VL;\n        i =",
            "    if (0) {\n        peephole += panel * 3 * VL;\n        i =")),
    Mutant("lstm peepholes in the order i, o, f", LSTM, CORE,
           ("f = v_fma(v_load(peephole + VL), c_prev, f);",
            "f = v_fma(v_load(peephole + 2 * VL), c_prev, f);"),
           ("o = v_fma(v_load(peephole + 2 * VL), c, o);",
            "o = v_fma(v_load(peephole + VL), c, o);")),
    Mutant("lstm output peephole on the state before", LSTM, CORE,
           ("o = v_fma(v_load(peephole + 2 * VL), c, o);",
            "o = v_fma(v_load(peephole + 2 * VL), c_prev, o);")),
    Mutant("lstm coupled gates ignored", LSTM, CORE,
           ("f = !plain && layer->coupled_gates ? v_set1(1) - i : FN(gate)", "f = FN(gate)")),
    Mutant("lstm backward: dc not carried", LSTM, CORE,
           ("v_store(carried, dc_prev);", "v_store(carried, v_zero());")),
    Mutant("lstm backward: coupled gates ignored", LSTM, CORE,
           ("d_i = dc * (g - c_prev);", "d_i = dc * g;")),
    Mutant("lstm backward: peephole left out of dc", LSTM, CORE,
           ("dc = v_fma(d_o, v_load(peephole + 2 * VL), dc);", "")),
    Mutant("lstm backward: peepholes left out of the state before", LSTM, CORE,
           ("dc_prev = v_fma(d_f, v_load(peephole + VL), dc_prev);", "")),
    Mutant("lstm backward: forget gate by the candidate", LSTM, CORE,
           ("d_f = dc * c_prev;", "d_f = dc * g;")),
    Mutant("peephole gradient by c_t for c_(t-1)", GRADIENTS, CORE,
           ("FN(add_rows)(dp, 1, n, d, width, before, padded);",
            "FN(add_rows)(dp, 1, n, d, width, after, padded);")),
    Mutant("gru gates r and z swapped", GRU, CORE,
           (GRU_LOADS, "reset = v_load(gates + 2 * VL), z = v_load(gates + VL);\n"
                       "    const vec hn")),
    Mutant("gru gates z and n swapped", GRU, CORE,
           ("v_fma(z, h_prev - n, n)", "v_fma(n, h_prev - z, z)")),
    Mutant("gru update turned about", GRU, CORE,
           ("v_fma(z, h_prev - n, n)", "v_fma(z, n - h_prev, h_prev)")),
    Mutant("gru reset ignored", GRU, CORE,
           ("v_store(gates, v_fma(r, hn, n));", "v_store(gates, n + hn);")),
    Mutant("gru reset before taken for after", GRU, CORE,
           ("FN(keep)(reset * h_units, hidden - unit)", "FN(keep)(h_units, hidden - unit)")),
    Mutant("gru backward: dh by the update gate lost", GRU, CORE,
           ("FN(add_dh)(call, run, r, panel, dh * z);", "")),
    Mutant("gru backward: reset by its own slope alone", GRU, CORE,
           ("v_store(gates + VL, d_n * hn * FN(gate_slope)",
            "v_store(gates + VL, d_n * FN(gate_slope)")),
    Mutant("gru backward: bias of the candidate without reset", GRU, CORE,
           ("v_store(gates + 3 * VL, d_n * reset);", "v_store(gates + 3 * VL, d_n);")),
    Mutant("gru backward: reset before without its share of dh", GRU, CORE,
           ("v_store(d, d_product * reset);", "v_store(d, d_product);")),
    Mutant("clip ignored", GATES, CORE,
           ("    if (!layer->has_clip)\n        return a;", "    if (1)\n        return a;")),
    Mutant("reverse run as forward", PASSES, CORE,
           ("t = call->layer.reverse ? call->steps - 1 - s : s;", "t = s;")),
    Mutant("backward of reverse run as forward", PASSES, CORE,
           ("t = call->layer.reverse ? s : call->steps - 1 - s;", "t = call->steps - 1 - s;")),
    Mutant("dW_hh by h_t for h_(t-1)", GRADIENTS, CORE,
           ("(const real *)call->y + previous * call->y_stride",
            "(const real *)call->y + row * call->y_stride")),
    Mutant("dW_hh without h0", GRADIENTS, CORE,
           (": call->h0 != NULL ? (const real *)call->h0", ": 0 ? (const real *)call->h0")),
    Mutant("bias gradient counts a row twice", GRADIENTS, CORE,
           ("slots, n, d, width, NULL, 0);", "slots, n, d, 0, NULL, 0);")),
    Mutant("c0 ignored", LAYER, CORE,
           ("self.lay_out(c0, self.call.c,", "self.lay_out(None, self.call.c,")),
    Mutant("h0 ignored", LAYER, CORE, ("call.h0 = address(self.h0)", "call.h0 = NULL")),
    Mutant("dh0 dropped", LAYER, CORE,
           ("(dx, self.gathered(call.dh, 1),", "(dx, 0 * self.gathered(call.dh, 1),")),
    Mutant("dc0 dropped", LAYER, CORE,
           ("self.gathered(call.dc, self.parts) if", "0 * self.gathered(call.dc, self.parts) if")),
    Mutant("input bias ignored", WEIGHTS, TORCH,
           ('parameters["bias"] = bias_ih + bias_hh', 'parameters["bias"] = bias_hh + 0')),
    Mutant("state bias ignored", WEIGHTS, TORCH,
           ('parameters["bias"] = bias_ih + bias_hh', 'parameters["bias"] = bias_ih + 0')),
    Mutant("gru state bias folded into the input bias", WEIGHTS, TORCH,
           ('parameters["bias_hn"] = bias_hh[n_rows:].copy()',
            'parameters["bias_hn"] = np.zeros(hidden_size, dtype)'),
           ("bias_hh = np.concatenate([bias_hh[:n_rows], np.zeros(hidden_size, dtype)])", "pass")),
    Mutant("W_hh transposed", WEIGHTS, TORCH,
           ('    parameters["bias"] = bias_ih + bias_hh',
            '    blocks = parameters["weight_hh"].reshape(-1, hidden_size, hidden_size)\n'
            '    parameters["weight_hh"] = np.concatenate(blocks.transpose(0, 2, 1)).copy()\n'
            '    parameters["bias"] = bias_ih + bias_hh')),
    Mutant("last steps of the directions swapped", NETWORK, ("tests/network/test_network.py",),
           ("joined[:, number * h : (number + 1) * h] = part",
            "joined[:, (1 - number) * h : (2 - number) * h] = part")),
    Mutant("directions swapped in forward", "rnnkit/_core/directions.pyx",
           ("tests/network/test_chain.py", *TORCH),
           ("one.place_y(y, 0)\n        other.place_y(y, hidden)",
            "one.place_y(y, hidden)\n        other.place_y(y, 0)")),
    Mutant("directions swapped in backward", "rnnkit/_core/directions.pyx",
           ("tests/network/test_chain.py", *TORCH),
           ("one.place_dy(dy, 0)\n        other.place_dy(dy, hidden)",
            "one.place_dy(dy, hidden)\n        other.place_dy(dy, 0)")),
    Mutant("lengths ignored", "rnnkit/sequences/packing.py", TORCH,
           ("    n_steps = int(lengths.max(initial=0))\n",
            "    n_steps = int(lengths.max(initial=0))\n    lengths[:] = n_steps\n")),
    Mutant("crf: terms that vanish are left out", CRF, LABELS,
           ("#define SMALLEST_SUM 1e-100", "#define SMALLEST_SUM 0")),
    Mutant("crf: pairs summed one by one left out of the transitions", CRF, LABELS,
           ("v_load(products + own) + v_load(singles + own)", "v_load(products + own)")),
    Mutant("crf: known labels are not held", CRF, LABELS,
           ("if (held && call->labels[row] != RK_UNKNOWN)", "if (0)")),
    Mutant("crf: the last of equal labels", CRF, "tests/network/test_crf.py",
           ("const ivec better = pair > best;", "const ivec better = pair >= best;")),
    Mutant("ctc: the blank between equal labels is skipped", CTC, LABELS,
           ("target[u] != target[u - 1] ? 0 : IMPOSSIBLE", "0")),
    Mutant("ctc: nothing handed back by a skip", CTC, LABELS,
           ("next_label * v_load(shares + 4 * up + 1)", "next_label * v_zero()")),
    Mutant("ctc: a path that repeats a label spells it again", CTC, LABELS,
           ("if (best != k - 1 && best != before)", "if (best != k - 1)")),
    Mutant("beam: a repeated label without a blank before it", BEAM, LABELS,
           ("label == tree[parent].label ? now.by_blank[i] : total[i]", "total[i]")),
    Mutant("beam: equal prefixes twice", BEAM, LABELS,
           ("extended[tree[c].label] = IMPOSSIBLE;", ";")),
)  # fmt: skip
