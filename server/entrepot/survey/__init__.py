"""What mirrors have, looked at by a command, without a server and its cache.

    wanted       which image is looked at
    panel        the mirrors of a registry, ready to be asked
    manners      whom not to ask any more, and when to wait
    asking       one mirror's answer to one tag, whatever it is
    route        by which way a mirror is reached
    findings     what was found out about one mirror, and about all for one image
    official     which of the answers is the owner's
    classing     how a mirror's copy differs from it
    transfer     ranges and throughput, measured
    examination  all of that, for one image: `entrepot doctor`
    suggestion   the order in which to ask the mirrors
    resolving    what a tag means, decided as the server decides it: `entrepot pins lock`
    comparison   what mirrors say of pinned tags: `entrepot pins check`
    documents    findings as JSON

Everything is sent within the limits of the settings, one question after the other to each host,
and no more than is needed: some mirrors ban for little.
"""
