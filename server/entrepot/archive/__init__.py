"""Images in files: what docker, containerd, podman, skopeo and k3s write, read and written.

    packing    the file's bytes, whatever they are packed with
    tarstream  the members of a tar, one after the other, with nothing of them in memory
    contents   named files: in a tar, in a packed tar, in a directory
    carried    an image as a file carries it
    layout     OCI layouts: index.json and blobs/
    saved      docker-save: manifest.json and layers
    reading    which of them a file is, and what is in it
    writing    an OCI layout in a tar that all of them read

Blocks, and is for threads and commands. Nothing here writes by a name that stands in an archive,
nothing is believed that is not proved later, and memory does not grow with the size of what is
read. ArchiveInvalid is raised for everything that cannot be used.
"""
