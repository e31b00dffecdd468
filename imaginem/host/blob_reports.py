"""What the blob listener keeps and tells of a blob, as the Functions host does."""

import hashlib
import json

from imaginem.ports import BlobInfo


def receipt_of(blob: BlobInfo) -> str:
    """Return 16 hexadecimal digits that stand for this version of a blob."""
    text = f"{blob.name}\n{blob.etag}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def poison_report(function: str, container: str, blob: BlobInfo) -> str:
    """Return the message on a blob whose function failed too often."""
    return json.dumps(
        {
            "FunctionId": f"Host.Functions.{function}",
            "BlobType": "BlockBlob",
            "ContainerName": container,
            "BlobName": blob.name,
            "ETag": blob.etag,
        }
    )
