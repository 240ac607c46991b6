/** Where a line stands in the journal of this database. */
export interface Place {
  segmentId: number
  byteOffset: number
}
