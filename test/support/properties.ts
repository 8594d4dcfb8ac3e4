import fc from "fast-check";

/** Properties are tried on the same values everywhere; PROPERTY_SEED looks elsewhere. */
fc.configureGlobal({ seed: Number(process.env.PROPERTY_SEED ?? 1) });
