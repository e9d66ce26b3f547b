"""Pure verdicts: what a tag means, although none of the mirrors has to be trusted.

    level      how well a digest is vouched for
    taglook    whether a tag looks as if it never moves
    pinfile    the text of a file of pins; lock files are written in it too
    pins       many pins in little memory; which file wins
    pinloading pins from the disk
    promoter   the Kubernetes promoter's files, from which pins are made
    promotions the same, a whole tree of them from the disk
    lockfile   pins made from what is held, to be kept in git
    policy     what is asked of an answer, for each registry or repository
    voting     what the mirrors said so far
    verdicts   what may be decided: accept, ask, keep or refuse; and what is worth telling
    decision   policy, pin, held digest, answers -> a verdict
    trees      the JSON of a manifest, and what programs change in it
    forms      the ways in which known programs write it
    repair     re-serialised manifests back to bytes that hash to the digest
    fidelity   how a mirror's copy of an image differs from the owner's
    ledger     who said what, and what became of it
    judgement  from a decision to records of the ledger

And whether an image is signed as it should be:

    attachments    what is no image, and needs no signature
    cosign         rules, where signatures lie, and what to think of one
    cosignkey      public keys
    cosignclaim    what was signed: payloads and statements
    cosignbundle   the Sigstore bundle
    cosignkeyless  signers with certificates

Nothing here awaits, and only `pinloading`, `promotions` and `cosignkeyless` read files.
"""
